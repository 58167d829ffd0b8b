"""Messages that the entity file does not fit: they are kept whole in `extra`, and somebody is told.
"""

import json
import re

from support.daemon import Kopru, run_kopru
from support.database import REPOSITORY
from support.endpoint import Endpoint

_ENVELOPE = {"specversion": "1.0", "id": "0b6e", "source": "/erp", "type": "customer.changed",
             "data": {"id": "c1", "status": "Active"}}
_OTHER_CASE = {"id": "c2", "STATUS": "Active", "contactmedium": [{"mediumType": "email"}]}
_ALL = {"id": "c3", "status": "Active", "name": "A",
        "contactMedium": [{"mediumType": "email", "preferred": True, "contactType": "x",
                           "city": "x", "stateOrProvince": "x", "country": "x", "postCode": "x",
                           "street1": "x", "street2": "x", "phoneNumber": "5550000000",
                           "faxNumber": "5550000001", "emailAddress": "a@example.test",
                           "socialNetworkId": "x",
                           "validFor": {"startDateTime": "2021-01-01",
                                        "endDateTime": "2022-01-01"}}]}
_JUDGED = 100  # messages after which a path that nothing matched is worth a warning


def _send(broker, queue: str, *payloads: object) -> None:
    for payload in payloads:
        broker.publish(queue, json.dumps(payload).encode())
    broker.wait_until_empty(queue)


def _numbered(payload: dict[str, object], count: int) -> list[dict[str, object]]:
    return [{**payload, "id": f"n{number}"} for number in range(count)]


def _check(daemon: Kopru) -> str:
    done = run_kopru("check", "-c", str(daemon.config_path))
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode()


def _wait_until_check_says(daemon: Kopru, text: str) -> str:
    daemon.wait_until(lambda: text in _check(daemon), 30, f"check to say {text!r}")
    return _check(daemon)


def _start(kopru, queues, **changes) -> tuple[Kopru, Endpoint]:
    endpoint = Endpoint()
    return kopru(http=endpoint.settings,
                 queues=[{"name": queues.customer, "entity": "customer"}], **changes), endpoint


def test_an_envelope_is_counted_and_warned_of_once(rabbitmq_server, db, queues, kopru):
    daemon, endpoint = _start(kopru, queues)
    _send(rabbitmq_server, queues.customer, {"id": "c0", "status": "Active"})
    assert daemon.events("mapping_doubtful") == []
    assert "mapping" not in _check(daemon)
    _send(rabbitmq_server, queues.customer, _ENVELOPE, {**_ENVELOPE, "id": "0b6f"})
    (line,) = daemon.wait_for_event("mapping_doubtful")
    assert line["queue"] == queues.customer
    assert line["level"] == "warning"
    assert endpoint.metrics()["kopru_messages_unmapped_total", queues.customer] == 2
    text = endpoint.wait_until_readyz(
        daemon, 200, f"[+]queue {queues.customer} mapping doubtful: 2 of 3 messages had nothing")
    assert "customer.changed" not in text
    said = _wait_until_check_says(daemon, "2 of 3 messages had nothing")
    assert "kopru map --entity customer" in said
    assert db.value("SELECT extra->>'type' FROM kopru.customers WHERE customer_id = '0b6e'") == (
        "customer.changed")
    assert daemon.terminate() == 0
    assert len(daemon.events("mapping_doubtful")) == 1
    assert "2 of 3 messages had nothing" in _check(daemon)


def test_names_in_another_letter_case_are_named(rabbitmq_server, queues, kopru):
    """Also in a message of which other properties are mapped, in an element, and in capitals that
    a Turkish locale makes.
    """
    daemon, endpoint = _start(kopru, queues)
    _send(rabbitmq_server, queues.customer,
          {"id": "c1", "status": "Active", "contactMedium": [{"mediumtype": "email"}]},
          {"id": "c2", "status": "Active", "CONTACTMEDİUM": [{"MEDİUMTYPE": "x"}]}, _OTHER_CASE)
    (line,) = daemon.wait_for_event("mapping_doubtful")[:1]
    assert '"mediumType"' in line["why"]
    assert endpoint.metrics()["kopru_messages_other_case_total", queues.customer] == 3
    assert endpoint.metrics()["kopru_messages_unmapped_total", queues.customer] == 1
    _wait_until_check_says(daemon, "letter case")


def test_a_name_beside_the_mapped_one_is_another_property(rabbitmq_server, queues, kopru):
    daemon, endpoint = _start(kopru, queues)
    _send(rabbitmq_server, queues.customer, {"id": "c1", "ID": 7, "status": "A", "Status": "B"})
    assert endpoint.metrics()["kopru_messages_other_case_total", queues.customer] == 0
    assert daemon.events("mapping_doubtful") == []


def test_a_path_that_nothing_ever_matched_is_named(rabbitmq_server, queues, kopru, tmp_path):
    text = (REPOSITORY / "etc" / "entities" / "customer.cfg").read_text(encoding="utf-8")
    mistyped = tmp_path / "customer.cfg"
    mistyped.write_text(re.sub(r'path = "status"', 'path = "state"', text).replace(
        '"characteristic.faxNumber", "faxNumber"', '"characteristic.fax", "fax"'),
        encoding="utf-8")
    daemon, endpoint = _start(kopru, queues, entity_files=[str(mistyped)])
    _send(rabbitmq_server, queues.customer, *_numbered(_ALL, _JUDGED - 1))
    assert daemon.events("mapping_doubtful") == []
    _send(rabbitmq_server, queues.customer, {**_ALL, "id": "last"})
    (line,) = daemon.wait_for_event("mapping_doubtful")
    said = f"none of {_JUDGED} messages had state, contactMedium[].characteristic.fax"
    assert line["why"] == said
    assert endpoint.metrics()["kopru_paths_unmatched", queues.customer] == 2
    endpoint.wait_until_readyz(daemon, 200, f"[+]queue {queues.customer} mapping doubtful: {said}")
    _wait_until_check_says(daemon, said)
    _send(rabbitmq_server, queues.customer, {"id": "c1", "state": None,
                                             "contactMedium": [{"fax": "5550000001"}]})
    endpoint.wait_until_readyz(daemon, 200)
    assert endpoint.metrics()["kopru_paths_unmatched", queues.customer] == 0
    daemon.wait_until(lambda: "mapping" not in _check(daemon), 30, "check to be content")
    assert len(daemon.events("mapping_doubtful")) == 1


def test_messages_that_fit_are_no_reason_for_a_warning(rabbitmq_server, queues, kopru):
    """Either of two alternatives is enough, null is a value, and an id alone says nothing."""
    daemon, endpoint = _start(kopru, queues)
    _send(rabbitmq_server, queues.customer, *_numbered(_ALL, _JUDGED), {"id": "alone"},
          {"id": "null", "status": None}, {"id": "empty", "contactMedium": []})
    assert endpoint.metrics()["kopru_messages_unmapped_total", queues.customer] == 0
    assert endpoint.metrics()["kopru_paths_unmatched", queues.customer] == 0
    assert daemon.events("mapping_doubtful") == []
    assert "mapping" not in _check(daemon)
