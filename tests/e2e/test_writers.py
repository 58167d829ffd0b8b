"""The writers of a queue share the work, in whatever order the ids come."""

import json
import uuid
from collections import Counter

import pytest

_IDS = 1000

_SERIES = {
    "numbers": [str(100001 + n) for n in range(_IDS)],
    "padded numbers": [f"{n + 1:08}" for n in range(_IDS)],
    "numbers with a prefix": [f"C-{n + 1:06}" for n in range(_IDS)],
    "UUIDs in a row": [str(uuid.UUID(int=0x3F2504E04F8941D39A0C0305E82C3301 + n))
                       for n in range(_IDS)],
}


@pytest.mark.parametrize("writers", [2, 4, 8])
@pytest.mark.parametrize("ids", _SERIES.values(), ids=_SERIES.keys())
def test_ids_in_a_row_are_divided_among_the_writers(rabbitmq_server, db, queues, kopru, ids,
                                                    writers):
    rabbitmq_server.publish_many(queues.customer,
                                 [json.dumps({"id": name}).encode() for name in ids])
    daemon = kopru(queues=[{"name": queues.customer, "entity": "customer", "writers": writers}],
                   log={"level": "debug"})
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.value("SELECT count(*) FROM kopru.customers") == _IDS
    assert daemon.terminate() == 0
    messages = Counter()
    for line in daemon.events("committed"):
        messages[line["writer"]] += line["messages"]
    share = _IDS / writers
    assert sum(messages.values()) == _IDS
    assert [messages[n] for n in range(writers)
            if not 0.8 * share <= messages[n] <= 1.2 * share] == [], dict(messages)
