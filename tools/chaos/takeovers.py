"""Whether each takeover of a lease was due: the holder had released it, had not renewed it for as
long as a lease lasts, or had been told to end. Judged by what the row of the queue showed.
"""

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from support.database import Database

_EXPIRES_S = 6.0  # LEASE_EXPIRES_MS
_INACCURACY_S = 0.02  # the uptime has two decimals

# What renews nothing (the missing row added, its root_table filled in) leaves renewed_at alone.
RECORD = """
CREATE TABLE history.leases (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue text NOT NULL, epoch bigint NOT NULL, instance text,
    uptime float8 NOT NULL DEFAULT history.uptime());
CREATE FUNCTION history.note_lease() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO history.leases (queue, epoch, instance)
    VALUES (NEW.queue, NEW.epoch, NEW.instance);
    RETURN NULL;
END
$$;
CREATE TRIGGER history AFTER UPDATE ON kopru.queues
    FOR EACH ROW WHEN (NEW.renewed_at IS DISTINCT FROM OLD.renewed_at)
    EXECUTE FUNCTION history.note_lease();
"""


@dataclass
class Takeovers:
    renewals: int = 0
    due: Counter[str] = field(default_factory=Counter)  # takeovers by what made them so
    robbed: list[str] = field(default_factory=list)


def judge(db: Database, ending_since: Mapping[int, float]) -> Takeovers:
    """ending_since: the uptime from which on a process was ending, by its id."""
    found = Takeovers()
    rows = db.query("SELECT queue, instance, uptime FROM history.leases ORDER BY queue, n")
    for _, renewals in itertools.groupby(rows, key=lambda row: row[0]):
        _judge_queue(list(renewals), ending_since, found)
    return found


def _judge_queue(renewals: list[tuple[str, str | None, float]],
                 ending_since: Mapping[int, float], found: Takeovers) -> None:
    found.renewals += len(renewals)
    for (queue, before, renewed), (_, after, taken) in itertools.pairwise(renewals):
        if after is None or after == before:
            continue
        if before is None:
            found.due["released"] += 1
        elif ending_since.get(_pid(before), math.inf) <= taken + _INACCURACY_S:
            found.due["ended"] += 1
        elif taken - renewed >= _EXPIRES_S - _INACCURACY_S:
            found.due["silent"] += 1
        else:
            found.robbed.append(f"queue {queue}: process {_pid(after)} took the lease from "
                                f"process {_pid(before)}, which ran and had renewed it "
                                f"{taken - renewed:.2f} s before, at uptime {taken:.2f}")


def _pid(instance: str) -> int:
    """An instance ends with the process id and the time of its start."""
    return int(instance.split()[-2])
