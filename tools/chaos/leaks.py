"""Values of the run's payloads, however they may be spelt in a log. No name, no address and no
number of a person may be there.
"""

import base64
import json
import re

# What support.payloads and the publisher put into messages, ids and property names apart.
_VALUES = ("Güneş Ağaç", "İSTANBUL(Anadolu)", "Iğdır", "Şırnak", "ÇANAKKALE", "Muğla", "日本 🏙",
           "içerenköy", "çok özel", "ADRES İ")
_PHONE = re.compile(r"\b05\d{9}\b")
_BASE64_ALIGNMENTS = 3


def _spellings(value: str) -> set[str]:
    raw = value.encode()
    spellings = {value, value.upper(), value.lower(), json.dumps(value)[1:-1], repr(value)[1:-1],
                 raw.hex(), "".join(f"\\{byte:03o}" if byte > 126 else chr(byte) for byte in raw)}
    for skipped in range(_BASE64_ALIGNMENTS):
        # These characters in the middle do not depend on what stands before and after.
        encoded = base64.b64encode(bytes(skipped) + raw).decode()
        spellings.add(encoded[4 if skipped else 0:len(encoded) - 4])
    return {spelling.lower() for spelling in spellings if len(spelling) > 4}


def found_in(text: str) -> list[str]:
    """The values that the text holds, each named once."""
    lower = text.lower()
    found = [f"a log says {value!r}" for value in _VALUES
             if any(spelling in lower for spelling in _spellings(value))]
    return found + [f"a log says a telephone number, {number[:4]}..."
                    for number in sorted(set(_PHONE.findall(text)))]
