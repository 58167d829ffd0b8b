"""Civil times become the instants that PostgreSQL makes of them with AT TIME ZONE.

The interesting ones lie around the changes of a zone's clocks: skipped, repeated, and a whole
skipped day in Apia.
"""

import datetime
import random
import subprocess
import zoneinfo

import pytest
from support.daemon import binary
from support.postgres import Postgres

# AT TIME ZONE reads some zone names (EET, CET) as fixed abbreviations; none of these.
ZONES = ["Europe/Istanbul", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia",
         "Africa/Casablanca", "Europe/Dublin", "Asia/Kathmandu", "UTC"]

_DAY = datetime.timedelta(days=1)
_STEPS = [datetime.timedelta(minutes=minutes, seconds=seconds)
          for minutes in range(-26 * 60, 26 * 60 + 1, 15) for seconds in (-1, 0, 1)]


def _days_with_a_change(zone: zoneinfo.ZoneInfo) -> list[datetime.datetime]:
    """Midnights (UTC) of the days on which the zone's offset changes, to beyond what tzdata lists
    singly.
    """
    found = []
    day = datetime.datetime(1850, 1, 1, tzinfo=datetime.timezone.utc)
    before = day.astimezone(zone).utcoffset()
    while day.year < 2110:
        after = (day + _DAY).astimezone(zone).utcoffset()
        if after != before:
            found.append(day.replace(tzinfo=None))
        day, before = day + _DAY, after
    return found


def _civil_times(name: str) -> list[str]:
    chosen = random.Random(name)
    changes = _days_with_a_change(zoneinfo.ZoneInfo(name))
    near = chosen.sample(changes, min(len(changes), 60))
    times = [day + step for day in near for step in _STEPS]
    first = datetime.datetime(1, 1, 1)
    span = (datetime.datetime(9999, 12, 31) - first) // datetime.timedelta(seconds=1)
    times += [first + datetime.timedelta(seconds=chosen.randrange(span)) for _ in range(2000)]
    times += [first, datetime.datetime(1910, 9, 30, 23, 59, 59),
              datetime.datetime(9999, 12, 31, 23, 59, 59)]
    return [time.isoformat() for time in times]


def _read(name: str, texts: list[str]) -> list[str]:
    probe = binary().parent / "tests" / "civil_time_probe"
    done = subprocess.run([str(probe), name], input="".join(text + "\n" for text in texts),
                          text=True, stdout=subprocess.PIPE, check=True)
    return done.stdout.splitlines()


# The instant in microseconds, the civil date it falls on, and the instant as text; `misfit` outside
# the years 1 to 9999 UTC.
_EXPECTED = """
    SELECT CASE WHEN extract(year FROM instant AT TIME ZONE 'UTC') NOT BETWEEN 1 AND 9999
                THEN 'misfit'
                ELSE format('%%s %%s %%s',
                            ((extract(epoch FROM instant) - 946684800) * 1000000)::bigint,
                            to_char(instant AT TIME ZONE %(zone)s, 'YYYY-MM-DD'),
                            to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) END
      FROM unnest(%(texts)s::text[]) WITH ORDINALITY AS given (text, place),
           LATERAL (SELECT text::timestamp AT TIME ZONE %(zone)s) AS read (instant)
     ORDER BY place
"""


@pytest.mark.parametrize("name", ZONES)
def test_civil_times_are_read_as_at_time_zone_reads_them(postgres_server: Postgres,
                                                         name: str) -> None:
    texts = _civil_times(name)
    with postgres_server.admin() as connection:
        expected = [text for (text,) in connection.execute(_EXPECTED,
                                                           {"zone": name, "texts": texts})]
    read = _read(name, texts)
    assert [row for row in zip(texts, read, expected, strict=True) if row[1] != row[2]] == []
