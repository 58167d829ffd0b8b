"""Tables that have grown: the entities at rest, copied until there are as many as wanted.

The copies differ from their originals in the id alone, so a message for a copy is one for its
original with another id. Each repetition updates other copies, chosen at random over the whole of
the tables.
"""

import random
from collections.abc import Iterator

from support.database import Database
from support.generator import FIRST_SUBSCRIPTION_ID, Erp

from bench.drain import QUEUE
from bench.site import TABLES_OF, Site
from bench.workloads import RESTING, SEED, write_bodies

_NAME = "bench_grown"


def database(site: Site) -> Database:
    return Database(site.server, _NAME)


def grow(site: Site, originals: int, wanted: int) -> None:
    """Copy the template's originals until there are as many subscriptions as wanted."""
    db = site.restore(f"{RESTING} subscription")
    with db.admin() as connection:
        # Foreign keys hold by construction; checking 13 million rows one by one would take minutes.
        connection.execute("SET session_replication_role = replica")
        for table in TABLES_OF["subscription"]:
            columns = [name for (name,) in connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND "
                "NOT attisdropped"
                " AND attname <> 'subscription_id' ORDER BY attnum", (f"kopru.{table}",))]
            names = ", ".join(columns)
            connection.execute(
                f"INSERT INTO kopru.{table} (subscription_id, {names})"
                f" SELECT (subscription_id::int + copy * {originals})::text, {names} FROM "
                f"kopru.{table},"
                f" generate_series(1, {wanted // originals - 1}) AS copy ORDER BY copy, "
                "subscription_id::int")
    site.keep_as("grown", _NAME)
    with db.server.admin() as connection:
        connection.execute(f"GRANT CONNECT ON DATABASE {_NAME} TO kopru_daemon")
        connection.execute("CHECKPOINT")


def _bodies(originals: int, wanted: int, repetition: int) -> Iterator[bytes]:
    erp = Erp(SEED)
    numbers = random.Random(SEED << 8 | 99).sample(range(wanted), wanted)
    for number in numbers[repetition * originals:(repetition + 1) * originals]:
        body = erp.subscription(number % originals, 1)
        old, new = (b'{"id":"%d"' % (FIRST_SUBSCRIPTION_ID + n)
                    for n in (number % originals, number))
        yield body.replace(old, new, 1)


def publish(site: Site, originals: int, wanted: int, repetition: int) -> None:
    path = site.bodies_file("grown")
    write_bodies(path, _bodies(originals, wanted, repetition))
    site.fresh_queue(QUEUE, path)
    with site.server.admin() as connection:
        connection.execute("CHECKPOINT")
