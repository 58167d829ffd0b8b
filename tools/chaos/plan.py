"""What a run does and when: a function of the seed alone, so that a failing seed replays."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from chaos.faults import KINDS, Kind

_FIRST_S = 1.5
_GAP_S = (0.2, 2.8)
_QUIET_SHARE, _QUIET_S = 0.1, (3.0, 7.0)  # now and then kopru has time to catch up


@dataclass(frozen=True)
class Site:
    """What the servers and the configuration look like."""

    quorum: Mapping[str, bool]  # by entity
    single_active_consumer: bool
    pooler: bool
    writers: int
    prefetch: int
    batch: int
    hidden: bool  # each daemon runs as a user that sees only its own processes

    def __str__(self) -> str:
        kinds = ", ".join(f"{entity} {'quorum' if quorum else 'classic'}"
                          for entity, quorum in self.quorum.items())
        active = ", single active consumer" if self.single_active_consumer else ""
        hidden = "; two users that cannot see each other's processes" if self.hidden else ""
        return (f"queues: {kinds}{active}; "
                f"{'through PgBouncer' if self.pooler else 'directly to PostgreSQL'}; "
                f"writers {self.writers}, prefetch {self.prefetch}, batch {self.batch}{hidden}")


@dataclass(frozen=True)
class Fault:
    at_s: float
    kind: Kind
    arguments: Mapping[str, object]

    def __str__(self) -> str:
        return " ".join([self.kind.name,
                         *(f"{name}={value}" for name, value in self.arguments.items())])


@dataclass(frozen=True)
class Plan:
    seed: int
    seconds: float
    site: Site
    faults: list[Fault] = field(default_factory=list)


def make(seed: int, seconds: float) -> Plan:
    """Makes the plan. A longer run of the same seed begins like the shorter one."""
    choice = random.Random(seed)
    site = Site(quorum={entity: choice.random() < 0.5 for entity in ("customer", "subscription")},
                single_active_consumer=choice.random() < 0.2, pooler=choice.random() < 0.35,
                writers=choice.randint(1, 3),
                prefetch=choice.choice((100, 500, 2000)), batch=choice.choice((50, 500)),
                hidden=choice.random() < 0.35)
    return Plan(seed, seconds, site, _faults(choice, seconds, site))


def _faults(choice: random.Random, seconds: float, site: Site) -> list[Fault]:
    """Several faults may last at the same time, but never two on the same thing."""
    kinds = [kind for kind in KINDS if site.pooler or "pooler" not in kind.touches]
    free_at = dict.fromkeys((thing for kind in kinds for thing in kind.touches), 0.0)
    faults = []
    now = _FIRST_S
    while True:
        now += choice.uniform(*(_QUIET_S if choice.random() < _QUIET_SHARE else _GAP_S))
        if now >= seconds:
            return faults
        possible = [kind for kind in kinds if all(free_at[thing] <= now for thing in kind.touches)]
        if not possible:
            continue
        (kind,) = choice.choices(possible, [kind.weight for kind in possible])
        arguments = kind.arguments(choice)
        faults.append(Fault(round(now, 2), kind, arguments))
        for thing in kind.touches:
            free_at[thing] = now + float(arguments.get("seconds", 0)) + kind.settles_s
