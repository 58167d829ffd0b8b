"""What is published: for each workload the same bodies in every run, in files that bench/publish.c
reads.

N messages of each. A workload starts from empty tables, or from N entities at rest in their version
0.
"""

import json
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from support.generator import Erp

SEED = 1
WIDE_CHARACTERISTICS = 60
# The private server gets a CHECK constraint that refuses this document number.
REFUSED_DOCUMENT = "REFUSED"

EMPTY, RESTING = "empty", "resting"

Body = Callable[[int, int], bytes]  # (number, version)


@dataclass(frozen=True)
class Workload:
    name: str
    entity: str
    start: str
    what: str
    bodies: Callable[[int], Iterator[bytes]]


def body_of(entity: str) -> Body:
    erp = Erp(SEED)
    return erp.customer if entity == "customer" else erp.subscription


def shuffled(count: int, salt: int = 0) -> list[int]:
    """Updates come in no order of ids."""
    numbers = list(range(count))
    random.Random(SEED << 8 | salt).shuffle(numbers)
    return numbers


def new(entity: str) -> Callable[[int], Iterator[bytes]]:
    return lambda count: (body_of(entity)(number, 0) for number in range(count))


def updates(entity: str, version: int) -> Callable[[int], Iterator[bytes]]:
    return lambda count: (body_of(entity)(number, version) for number in shuffled(count))


def hot_key(entity: str) -> Callable[[int], Iterator[bytes]]:
    def bodies(count: int) -> Iterator[bytes]:
        states = [body_of(entity)(0, version) for version in (0, 1)]
        return (states[n % 2] for n in range(count))

    return bodies


def mixed(entity: str) -> Callable[[int], Iterator[bytes]]:
    """Of 1000 messages 700 change something, 200 are unchanged, 99 are new and one is broken."""

    def bodies(count: int) -> Iterator[bytes]:
        body = body_of(entity)
        dice = random.Random(SEED)
        for n, number in enumerate(shuffled(count)):
            share = dice.random()
            if share < 0.7:
                yield body(number, 1)
            elif share < 0.9:
                yield body(number, 0)
            elif share < 0.999:
                yield body(count + n, 0)
            else:
                yield body(number, 1)[:-1]

    return bodies


def wide(count: int) -> Iterator[bytes]:
    erp = Erp(SEED)
    kinds = (("String", "Anahtar kapıcıda {}"), ("Float", "{}.5"), ("Date", "2021-03-{:02}"),
             ("Boolean", "true"))
    for number in range(count):
        payload = json.loads(erp.subscription(number))
        more = payload["characteristic"]
        while len(more) < WIDE_CHARACTERISTICS:
            value_type, value = kinds[len(more) % len(kinds)]
            more.append({"name": f"ATTRIBUTE_{len(more):02}", "valueType": value_type,
                         "value": value.format((number + len(more)) % 28 + 1)})
        yield json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def poison(one_in: int) -> Callable[[int], Iterator[bytes]]:
    def bodies(count: int) -> Iterator[bytes]:
        erp = Erp(SEED)
        for number in range(count):
            body = erp.subscription(number)
            if number % one_in == one_in // 2:
                body = body.replace(b'"documentNumber":"%d"' % (300_000 + number),
                                    b'"documentNumber":"%s"' % REFUSED_DOCUMENT.encode())
            yield body

    return bodies


def all_workloads() -> list[Workload]:
    found = []
    for entity, differs in (("subscription", "2 of 11 characteristics differ"),
                            ("customer", "1 contact medium differs")):
        found += [
            Workload("new", entity, EMPTY, "new ids", new(entity)),
            Workload("churn", entity, RESTING, f"known ids in random order, {differs}",
                     updates(entity, 1)),
            Workload("unchanged", entity, RESTING,
                     "known ids in random order, the same bodies again", updates(entity, 0)),
            Workload("hot key", entity, EMPTY, "all of one id, two states in turn",
                     hot_key(entity)),
            Workload("mixed", entity, RESTING,
                     "70 % churn, 20 % unchanged, 9.9 % new, 0.1 % broken JSON", mixed(entity)),
        ]
    return found + [
        Workload("wide", "subscription", EMPTY,
                 f"new ids, {WIDE_CHARACTERISTICS} characteristics each", wide),
        Workload("poison 0.1 %", "subscription", EMPTY,
                 "new ids, 1 of 1000 refused by a CHECK constraint", poison(1000)),
        Workload("poison 1 %", "subscription", EMPTY,
                 "new ids, 1 of 100 refused by a CHECK constraint", poison(100)),
    ]


def write_bodies(path: Path, bodies: Iterator[bytes]) -> int:
    """Write them as bench/publish.c reads them; how many."""
    count = 0
    with open(path, "wb") as file:
        for body in bodies:
            file.write(struct.pack("<I", len(body)) + body)
            count += 1
    return count


def read_bodies(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        yield data[at + 4:at + 4 + length]
        at += 4 + length
