"""Random messages with anything that a publisher can do, to compare two ways of applying them."""

import json
import random
from typing import Any

Message = tuple[bytes, dict[str, object]]

_TEXTS = ("Active", "İğdır", "", " ", "2021-08-13", "2021-08-13T23:30:00Z", "1e3", "TRUE", "N1",
          "x" * 300)
_SCALARS = (None, True, 0, 7, -1.50, 12345678901234567890123)
_NAMES = {
    "customer": ("status", "name", "contactMedium", "segment", "contactMedium2"),
    "subscription": ("agreementType", "documentNumber", "name", "status", "completionDate",
                     "characteristic", "properties", "engagedParty", "segment"),
}
_INNER = ("name", "valueType", "value", "id", "role", "mediumType", "preferred", "characteristic",
          "city", "validFor", "startDateTime", "endDateTime", "unknown")
_TYPES = ("String", "float", "DATE", "DateTime", "Boolean", "Long")
_BROKEN = (b"", b"{", b"[]", b"\xff", b'{"name":1}', b'{"id":[]}',
           b'{"id":"E1","characteristic":1,"contactMedium":1}')


def messages(choice: random.Random, entity: str, count: int, entities: int) -> list[Message]:
    """Bodies and AMQP properties; repetitions of earlier bodies among them."""
    made: list[Message] = []
    for _ in range(count):
        fate = choice.random()
        if fate < 0.05:
            body = choice.choice(_BROKEN)
        elif fate < 0.2 and made:
            body = choice.choice(made[-20:])[0]
        else:
            body = _payload(choice, entity, f"E{choice.randrange(entities)}")
        made.append((body, {"timestamp": 1_700_000_000 + choice.randrange(1000)}
                     if choice.random() < 0.6 else {}))
    return made


def _payload(choice: random.Random, entity: str, entity_id: str) -> bytes:
    names = [name for name in _NAMES[entity] if choice.random() < 0.4]
    choice.shuffle(names)
    return json.dumps({"id": entity_id, **{name: _property(choice, name) for name in names}},
                      ensure_ascii=False).encode()


def _property(choice: random.Random, name: str) -> Any:
    if name in ("contactMedium", "characteristic", "properties", "engagedParty"):
        if choice.random() < 0.2:
            return choice.choice((None, [], {}))
        return [_value(choice, 3) if choice.random() < 0.1 else _element(choice)
                for _ in range(choice.randrange(6))]
    return _value(choice, 3)


def _element(choice: random.Random) -> dict[str, Any]:
    element = _object(choice, 2)
    if choice.random() < 0.9:
        element.update(name=f"N{choice.randrange(3)}", id=f"E{choice.randrange(4)}",
                       valueType=choice.choice(_TYPES))
    return element


def _object(choice: random.Random, depth: int) -> dict[str, Any]:
    return {choice.choice(_INNER): _value(choice, depth - 1) for _ in range(choice.randrange(5))}


def _value(choice: random.Random, depth: int) -> Any:
    fate = choice.random()
    if fate < 0.5 or depth == 0:
        return choice.choice(_TEXTS)
    if fate < 0.7:
        return choice.choice(_SCALARS)
    return _object(choice, depth) if fate < 0.9 else [_value(choice, depth - 1)]
