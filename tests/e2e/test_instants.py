"""Whatever instant the ERP sends, clients in its time zone and in UTC can read what is stored."""

import json
import random

import psycopg
import pytest

pytestmark = pytest.mark.matrix

_ZONES = ["Europe/Istanbul", "America/New_York", "Pacific/Kiritimati", "UTC"]
_OFFSETS = ["", "Z", "+03:00", "-05:00", "+14:00", "-12:00", "+15:59", "-15:59"]

# Around both ends of the calendar; the last ones leave no doubt.
_DAYS = ["0001-01-01", "0001-01-02", "9999-12-30", "9999-12-31", "2024-05-06"]


def _instants(choice: random.Random) -> list[str]:
    times = ["00:00", "00:00:00.0000000", "23:59:59", "23:59:59.999999000", "12:00"]
    times += [f"{choice.randrange(24):02}:{choice.randrange(60):02}" for _ in range(5)]
    texts = [f"{day}T{time}{offset}" for day in _DAYS for time in times for offset in _OFFSETS]
    return _DAYS + texts


@pytest.mark.parametrize("zone", _ZONES)
def test_an_instant_is_stored_with_its_date_or_not_at_all(rabbitmq_server, db, queues, kopru,
                                                          choice, zone):
    sent = _instants(choice)
    kopru(erp={"time_zone": zone})
    rabbitmq_server.publish(queues.customer, json.dumps(
        {"id": "1", "contactMedium": [{"validFor": {"startDateTime": text}} for text in sent]}
    ).encode())
    rabbitmq_server.publish(queues.subscription, json.dumps(
        {"id": "1", "characteristic": [{"name": "N", "valueType": "DateTime", "value": text}
                                       for text in sent]}).encode())
    for queue in queues.entities():
        rabbitmq_server.wait_until_empty(queue)
    for session_zone in (zone, "UTC"):
        with psycopg.connect(db.admin_dsn, options=f"-c TimeZone={session_zone}") as connection:
            rows = connection.execute(
                "SELECT valid_from, valid_from_date, (valid_from AT TIME ZONE %s)::date, extra "
                "FROM kopru.contact_mediums ORDER BY position", (zone,)).fetchall()
            typed = connection.execute(
                "SELECT value_timestamp, value_date FROM kopru.subscription_characteristics "
                "ORDER BY occurrence").fetchall()
        assert len(rows) == len(typed) == len(sent)
        for text, (instant, date, civil_date, extra), (typed_instant, typed_date) in zip(
                sent, rows, typed, strict=True):
            assert (instant, date) == (typed_instant, typed_date), text
            assert date == civil_date, text
            assert extra == ({} if instant is not None else {"validFor": {"startDateTime": text}})
        kept = [text for text, row in zip(sent, rows, strict=True) if row[0] is not None]
        assert {text for text in sent if text.startswith("2024")} < set(kept)
        assert len(kept) < len(sent)
