"""What the demo publishes, and what the tables must hold afterwards."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from support.database import REPOSITORY
from support.generator import Erp

CUSTOMERS = "secom-customer-queue"
SUBSCRIPTIONS = "secom-subscriptions-queue"
ENTITIES = {CUSTOMERS: "customer", SUBSCRIPTIONS: "subscription"}

_SAMPLES = REPOSITORY / "tests" / "support" / "samples"
_ARRAYS = {
    "contactMedium": "contact_mediums",
    "characteristic": "subscription_characteristics",
    "properties": "subscription_characteristics",
    "engagedParty": "engaged_parties",
}


@dataclass
class Publication:
    """The bodies for each queue, in order, and what shall become of them."""

    bodies: dict[str, list[bytes]] = field(default_factory=lambda: {queue: []
                                                                    for queue in ENTITIES})
    reasons: Counter[str] = field(default_factory=Counter)  # of the dead letters
    samples: int = 0
    generated: int = 0

    def __len__(self) -> int:
        return sum(map(len, self.bodies.values()))

    @property
    def broken(self) -> int:
        return self.reasons.total()


def samples() -> dict[str, bytes]:
    """For each queue the notification as the ERP's owner prints it, byte for byte."""
    return {queue: (_SAMPLES / f"{entity}.json").read_bytes() for queue, entity in ENTITIES.items()}


def compose(count: int, seed: int) -> tuple[Publication, bytes]:
    """The samples, about count generated messages, the broken ones in their midst; and a customer
    to be published later.

    A subscription among them names that customer already.
    """
    erp = Erp(seed)
    rng = random.Random(seed)
    customers = max(count * 3 // 10, 1)
    subscriptions = max(count * 4 // 10, 1)

    def subscription(number: int, version: int) -> bytes:
        late = number == subscriptions - 1
        return erp.subscription(number, version, customers if late else number % customers)

    publication = Publication(samples=len(ENTITIES))
    generated = {
        CUSTOMERS: _history(customers, customers // 2, erp.customer, erp.status_of_customer, rng),
        SUBSCRIPTIONS: _history(subscriptions, subscriptions * 3 // 8, subscription,
                                erp.status_of_subscription, rng),
    }
    for queue, sample in samples().items():
        publication.generated += len(generated[queue])
        publication.bodies[queue] = [sample, *generated[queue]]
    for queue, reason, body in _broken():
        publication.reasons[reason] += 1
        bodies = publication.bodies[queue]
        bodies.insert(rng.randrange(1, len(bodies) + 1), body)
    return publication, erp.customer(customers)


def _history(new: int, updates: int, full: Callable[[int, int], bytes],
             status: Callable[[int, str], bytes], rng: random.Random) -> list[bytes]:
    """Numbers from 0 to new - 1 in their first version, mixed with messages about earlier ones."""
    steps = [True] * (new - 1) + [False] * updates
    rng.shuffle(steps)
    versions: list[int] = []
    bodies = []
    for is_new in [True, *steps]:
        number = len(versions) if is_new else rng.randrange(len(versions))
        kind = rng.random()
        if is_new:
            versions.append(0)
        elif kind < 0.6:
            versions[number] += 1
        elif kind < 0.8:
            bodies.append(status(number, rng.choice(("Active", "Passive"))))
            continue
        # What is left publishes the same once more, as at-least-once publishers do.
        bodies.append(full(number, versions[number]))
    return bodies


def _broken() -> list[tuple[str, str, bytes]]:
    """One or two messages for each reason: queue, reason, body. With the limits that a
    configuration has by default.
    """
    texts = [
        (CUSTOMERS, "not_json", '{"id":"910001","status":"Active","name":"cut o'),
        (SUBSCRIPTIONS, "not_json", ""),
        (CUSTOMERS, "contains_nul", '{"id":"910002","name":"A\\u0000B"}'),
        (CUSTOMERS, "invalid_unicode", '{"id":"910003","name":"half a pair: \\ud83d"}'),
        (CUSTOMERS, "too_large", '{"id":"910005","name":"' + "ş" * 600_000 + '"}'),
        (SUBSCRIPTIONS, "too_deep", '{"id":"920001","tree":' + "[" * 70 + "]" * 70 + "}"),
        (SUBSCRIPTIONS, "not_object", '[{"id":"920002"}]'),
        (CUSTOMERS, "missing_id", '{"status":"Active","name":"nobody"}'),
        (SUBSCRIPTIONS, "missing_id", '{"id":null,"status":"Active"}'),
        (CUSTOMERS, "invalid_id", '{"id":134719.5,"status":"Active"}'),
        (CUSTOMERS, "invalid_structure", '{"id":"910006","contactMedium":"5xxxxxxxxx"}'),
        (SUBSCRIPTIONS, "invalid_structure", '{"id":"920003","engagedParty":134719}'),
        (SUBSCRIPTIONS, "rejected_by_database",
         '{"id":"920004","status":"Active","reading":1e200000}'),
    ]
    return [
        *((queue, reason, text.encode()) for queue, reason, text in texts),
        (CUSTOMERS, "invalid_unicode",
         '{"id":"910004","name":"İSTANBUL in Latin-5"}'.encode("iso8859-9")),
    ]


def expected_rows(publication: Publication, *later: bytes) -> dict[str, int]:
    """Rows of each table, from the payloads alone: a present property replaces, an absent one
    keeps.
    """
    broken = {body for _, _, body in _broken()}
    rows: Counter[str] = Counter()
    for queue, bodies in publication.bodies.items():
        more = later if queue == CUSTOMERS else ()
        entities = _fold(body for body in (*bodies, *more) if body not in broken)
        rows[f"{ENTITIES[queue]}s"] = len(entities)
        for entity in entities.values():
            for array, table in _ARRAYS.items():
                rows[table] += len(entity.get(array, ()))
    return {table: rows[table] for table in
            ("customers", "contact_mediums", "subscriptions", "subscription_characteristics",
             "engaged_parties")}


def _fold(bodies: Iterable[bytes]) -> dict[str, dict]:
    entities: dict[str, dict] = {}
    for body in bodies:
        payload = json.loads(body)
        entities.setdefault(payload["id"], {}).update(payload)
    return entities
