"""Whether the tables and all states they ever showed agree with the publisher's ledger.

    history.install(db)                  # before the daemon starts
    ... load, crashes, outages ...
    verdict = history.check(db, ledger.entries())
    assert verdict.is_clean, verdict
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from support.database import Database
from support.ledger import Entry
from support.payloads import Expected, Rows
from support.tables import DATA_TABLES, read_dead_letters, read_said

# The daemon's login may only write kopru's tables, so the function runs as its owner. Rows of the
# same entity are written one transaction after the other, so their numbers are in the order of the
# commits.
_INSTALL = r"""
CREATE SCHEMA history;
CREATE TABLE history.states (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity text NOT NULL, entity_id text NOT NULL, number bigint NOT NULL,
    writer text NOT NULL DEFAULT current_setting('application_name'));
CREATE FUNCTION history.note() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO history.states (entity, entity_id, number)
    VALUES (TG_ARGV[0], to_jsonb(NEW) ->> TG_ARGV[1], substring(NEW.name FROM '[0-9]+$')::bigint);
    RETURN NULL;
END
$$;
CREATE TRIGGER history AFTER INSERT OR UPDATE ON kopru.customers
    FOR EACH ROW EXECUTE FUNCTION history.note('customer', 'customer_id');
CREATE TRIGGER history AFTER INSERT OR UPDATE ON kopru.subscriptions
    FOR EACH ROW EXECUTE FUNCTION history.note('subscription', 'subscription_id');
"""

_STEPS_BACK = """
SELECT entity, entity_id, before, number
FROM (SELECT *, lag(number) OVER (PARTITION BY entity, entity_id ORDER BY n) AS before
      FROM history.states) AS step
WHERE number < before
"""
_SHOWN_TWICE = """
SELECT entity, entity_id, number FROM history.states
GROUP BY entity, entity_id, number HAVING count(*) > 1
"""


def install(db: Database) -> None:
    """Record the message that each committed state of a root shows."""
    db.query(_INSTALL)


def writers(db: Database) -> list[str]:
    """The application names under which states were written, in order; repeats count once."""
    return [name for (name,) in db.query("""
        SELECT writer
        FROM (SELECT n, writer, lag(writer) OVER (ORDER BY n) AS before
              FROM history.states) AS step
        WHERE writer IS DISTINCT FROM before ORDER BY n""")]


@dataclass
class Verdict:
    published: int
    lost: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # dead letters that should not be

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.stale or self.duplicated or self.refused)

    def __str__(self) -> str:
        words = ("lost", "stale", "duplicated", "refused")
        counts = ", ".join(f"{word} {len(getattr(self, word))}" for word in words)
        return "\n".join([f"published {self.published}, {counts}"] + [
            f"  {word}: {line}" for word in words for line in getattr(self, word)[:5]])


def check(db: Database, entries: list[Entry]) -> Verdict:
    """Reads only the ledger and the database. An unconfirmed message may be there or not."""
    verdict = Verdict(sum(entry.confirmed for entry in entries))
    _check_rows(db, entries, verdict)
    _check_dead_letters(db, entries, verdict)
    verdict.stale += steps_back(db)
    for entity, entity_id, number in db.query(_SHOWN_TWICE):
        verdict.duplicated.append(f"{entity} {entity_id} showed {number} twice")
    return verdict


def steps_back(db: Database) -> list[str]:
    """The older states that showed after newer ones."""
    return [f"{entity} {entity_id} showed {before}, then {number}"
            for entity, entity_id, before, number in db.query(_STEPS_BACK)]


def expected_rows(entries: list[Entry], counts: Callable[[Entry], bool]) -> Rows:
    expected = Expected()
    for entry in entries:
        if entry.payload is not None and counts(entry):
            expected.apply(entry.entity, entry.payload)
    return expected.rows()


def _check_rows(db: Database, entries: list[Entry], verdict: Verdict) -> None:
    expected = expected_rows(entries, lambda entry: entry.confirmed)
    # A publisher must follow up what it is not sure of, or nobody could say what is right.
    everything = expected_rows(entries, lambda entry: True)
    assert expected == everything, "what was not confirmed makes a difference"
    found = read_said(db)
    for table in DATA_TABLES:
        for key in expected[table].keys() | found[table].keys():
            want, have = expected[table].get(key), found[table].get(key)
            if want != have:
                verdict.lost.append(f"{table} {key} is {have}, not {want}")


def _check_dead_letters(db: Database, entries: list[Entry], verdict: Verdict) -> None:
    may = {(entry.queue, entry.body, entry.reason) for entry in entries if entry.reason is not None}
    must = {(entry.queue, entry.body, entry.reason) for entry in entries
            if entry.reason is not None and entry.confirmed}
    dead_letters = Counter((row["queue"], row["body"], row["reason"])
                           for row in read_dead_letters(db))
    verdict.lost += [f"dead letter {key}" for key in must - dead_letters.keys()]
    verdict.refused += [f"dead letter {key}" for key in dead_letters.keys() - may]
    verdict.duplicated += [f"dead letter {key}" for key, count in dead_letters.items() if count > 1]
