"""The whole suite's watch over personal values: what was published must never be read in a log, a
metric or an error.

Every body that is published, or given to `kopru map`, passes through published(). Whatever the
program then says outside of its data (logs, stderr, HTTP answers) passes through require_private(),
which fails on the values, however they are spelled.

Ids are no secrets: the log names them. Neither is a value that some payload has as its id, nor a
short one. The name of a holder and the epoch of a lease have digits of their own: they are not
searched.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_PERSONAL = ("name", "phoneNumber", "faxNumber", "emailAddress", "socialNetworkId", "street1",
             "street2", "city", "postCode", "documentNumber", "value")
# A string may be cut off by the end of a broken body.
_MEMBER = re.compile(rb'"(id|' + "|".join(_PERSONAL).encode()
                     + rb')"\s*:\s*(?:"((?:[^"\\]|\\.)*)|(-?[0-9][0-9.eE+-]*))')
# Host and process id of a lease holder (bridge/lease/process.h), and epochs, whose digits come from
# the clock, in the fields that name one.
_OWN_NUMBERS = re.compile(r'(?:taken_over_from|holder)"?[:=]"?\S+ \d+|epoch"?[:=]\d+'
                          r'|kopru_lease_epoch\{[^}]*\} \d+')

_GRAM = 6          # characters: what is shorter proves nothing
_GRAM_OF_PROPERTIES = 9  # tests call messages "second" and the like
_PREFIX = 12       # of a value: a log may cut it, and numbered values become few
_MOST_OF_A_KIND = 3000  # of one property, until forget(): load tests publish many


class Watch:
    """Values to look for, and the search for all of them in one pass over a text."""

    def __init__(self, enabled: bool = False) -> None:
        self.enabled = enabled  # the demo and the benchmarks publish without being watched
        self._values: dict[str, set[str]] = {}  # by property
        self._ids: set[str] = set()
        self._secrets: set[str] = set()
        self._index: dict[str, list[tuple[str, str]]] | None = None  # None: to be made

    def forget(self) -> None:
        self._values.clear()
        self._ids.clear()
        self._secrets.clear()
        self._index = None

    def published(self, body: bytes, properties: Mapping[str, object]) -> None:
        if not self.enabled:
            return
        for name, text, number in _MEMBER.findall(body):
            value = _decoded(text) if text else number.decode()
            if name == b"id":
                self._ids.add(value[:_PREFIX])
                self._index = None
            else:
                self._add(name.decode(), value)
        for name in ("correlation_id", "message_id"):
            self._add(name, properties.get(name), _GRAM_OF_PROPERTIES)
        for value in (properties.get("headers") or {}).values():  # type: ignore[attr-defined]
            self._add("header", value, _GRAM_OF_PROPERTIES)

    def keep_secret(self, value: str) -> None:
        """Even if it is an id."""
        self._secrets.add(value[:_PREFIX])
        self._index = None

    def _add(self, kind: str, value: object, least: int = _GRAM) -> None:
        known = self._values.setdefault(kind, set())
        if (isinstance(value, str) and len(value) >= least and value[:_PREFIX] not in known
                and len(known) < _MOST_OF_A_KIND):
            known.add(value[:_PREFIX])
            self._index = None

    def _secrets_by_kind(self) -> Iterator[tuple[str, str]]:
        for secret in self._secrets:
            yield "secret", secret
        for kind, values in self._values.items():
            for value in values - self._ids:
                yield kind, value

    def _indexed(self) -> dict[str, list[tuple[str, str]]]:
        """What each spelling begins with, to the spellings."""
        if self._index is None:
            self._index = {}
            for kind, value in self._secrets_by_kind():
                for spelling in spellings(value):
                    self._index.setdefault(spelling[:_GRAM], []).append((spelling, kind))
        return self._index

    def leaks(self, text: str) -> list[tuple[str, str]]:
        """(property, spelling) of what is found, sorted."""
        index = self._indexed()
        folded = _OWN_NUMBERS.sub("", text.lower())
        found = set()
        for at in range(len(folded) - _GRAM + 1):
            for spelling, kind in index.get(folded[at:at + _GRAM], ()):
                if folded.startswith(spelling, at):
                    found.add((kind, spelling))
        return sorted(found)


def _decoded(text: bytes) -> str:
    readable = text.decode(errors="replace")
    try:
        return json.loads(f'"{readable}"', strict=False)
    except ValueError:
        return readable


def spellings(value: str) -> set[str]:
    """As is, JSON-escaped, in base64 and in hexadecimal; of the value in any letter case. All in
    lower case, to be found in a text in lower case."""
    found = set()
    for variant in {value, value.upper(), value.lower()}:
        raw = variant.encode("utf-8", "surrogatepass")
        found |= {variant, json.dumps(variant)[1:-1], json.dumps(variant, ensure_ascii=False)[1:-1],
                  raw.hex()}
        found |= set(_in_base64(raw))
    return {spelling.lower() for spelling in found if len(spelling) >= _GRAM}


def _in_base64(raw: bytes) -> Iterator[str]:
    """The characters of the three base64 alignments that depend on the value alone."""
    for before in range(3):
        for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
            text = alphabet(b"\0" * before + raw)
            yield text[-(-before * 8 // 6):(before + len(raw)) * 8 // 6].decode()


WATCH = Watch()


def require_private(text: str, source: str) -> None:
    """Fail if the text says a personal value of a payload."""
    leaks = WATCH.leaks(text)
    if leaks:
        raise AssertionError(f"{source} says what payloads said: "
                             + ", ".join(f"{kind} {spelling!r}" for kind, spelling in leaks[:10]))


def watching(messages: Iterable[Any]) -> Iterator[Any]:
    """The (body, properties) pairs, each made known before it is passed on."""
    for body, properties in messages:
        WATCH.published(body, properties)
        yield body, properties
