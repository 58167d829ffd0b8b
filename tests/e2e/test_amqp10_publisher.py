"""What a publisher of AMQP 1.0 sends, as RabbitMQ passes it on: a data section as its bytes, and
any other body in the encoding of that protocol.
"""

import json

import pytest
from support import amqp10

_BODY = json.dumps({"id": "encoded"})


def _require_its_reason(daemon, db):
    daemon.wait_for_event("dead_letter")
    reason, detail = db.query("SELECT reason, detail FROM kopru.dead_letters")[0]
    assert reason in ("invalid_unicode", "not_json")
    assert "AMQP 1.0" in detail and "data section" in detail, detail


@pytest.mark.parametrize("body", [amqp10.text(_BODY), amqp10.binary(_BODY.encode())])
def test_an_amqp_value_says_what_to_send(rabbitmq_server, db, queues, kopru, body):
    if rabbitmq_server.version < (4,):
        pytest.skip("RabbitMQ 3 speaks AMQP 1.0 only with a plugin")
    daemon = kopru()
    amqp10.publish(rabbitmq_server.port, queues.customer, amqp10.value(body))
    _require_its_reason(daemon, db)
    amqp10.publish(rabbitmq_server.port, queues.customer, amqp10.data(_BODY.encode()))
    daemon.wait_until(lambda: db.value("SELECT count(*) FROM kopru.customers") == 1, 30,
                      "the data section to be applied")
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 1


@pytest.mark.parametrize("body", [amqp10.text(_BODY), amqp10.binary(_BODY.encode()), b"\x45"])
def test_it_does_so_as_any_broker_passes_it_on(rabbitmq_server, db, queues, kopru, body):
    daemon = kopru()
    rabbitmq_server.publish(queues.customer, amqp10.value(body), type="amqp-1.0")
    _require_its_reason(daemon, db)


def test_the_type_alone_refuses_nothing(rabbitmq_server, db, queues, kopru):
    daemon = kopru()
    rabbitmq_server.publish(queues.customer, _BODY.encode(), type="amqp-1.0")
    daemon.wait_until(lambda: db.value("SELECT count(*) FROM kopru.customers") == 1, 30,
                      "the message to be applied")
