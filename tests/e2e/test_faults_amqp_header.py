"""Properties that a broker forwards and rabbitmq-c cannot decode: such a message is one message,
not the end of its queue.
"""

import base64

from support.raw_amqp import HEADERS, RawPublisher, field, nested_arrays, short_string, table
from support.wait import wait_until

_CONTENT_TYPE = 0x8000
_MORE_FLAGS = 0x0001  # RabbitMQ ignores it; rabbitmq-c reads more flags, of which there are none


def test_properties_that_the_library_cannot_decode(rabbitmq_server, db, queues, kopru):
    queue = queues.customer
    deep = field("deep", b"A", nested_arrays(1000))
    daemon = kopru()
    rabbitmq_server.publish(queue, b'{"id": "before"}')
    with RawPublisher(rabbitmq_server) as publisher:
        publisher.publish(queue, b'{"id": "flags"}', flags=_CONTENT_TYPE | _MORE_FLAGS,
                          properties=short_string("text/plain"))
        publisher.publish(queue, b'{"id": "deep"}', flags=HEADERS, properties=table(deep))
        publisher.publish(queue, b"no JSON", flags=HEADERS, properties=table(deep))
    rabbitmq_server.publish(queue, b'{"id": "after"}')
    daemon.wait_until(lambda: rabbitmq_server.depth(queue).is_empty, 30, "the queue to be empty")
    assert db.query("SELECT customer_id FROM kopru.customers ORDER BY 1") == [("after",),
                                                                              ("before",),
                                                                              ("deep",), ("flags",)]
    ((reason, headers),) = db.query("SELECT reason, properties->'headers' FROM kopru.dead_letters")
    assert (reason, headers) == ("not_json",
                                 {"undecodable": "base64:" + base64.b64encode(deep).decode()})
    assert not daemon.events("broker_unavailable")
    assert daemon.terminate() == 0
    wait_until(lambda: rabbitmq_server.depth(queue).is_empty, 10, "nothing to come back")
