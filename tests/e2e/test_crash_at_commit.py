"""kill -9 on either side of COMMIT, at the very moment and not at random: what comes back is
applied once.
"""

import pytest
from support import history
from support.pg_messages import answers_commit, sends_commit
from support.tables import read_dead_letters, row_versions

_GOOD, _BAD = b'{"id":"c1","name":"G 1","contactMedium":[{"mediumType":"PHONE"}]}', b'{"id":'


def _have_redelivered(broker, queue: str) -> None:
    """Redelivered messages come first and together, so the whole queue becomes one transaction."""
    with broker.connect() as connection:
        channel = connection.channel()
        while channel.basic_get(queue)[0] is not None:
            pass


@pytest.mark.parametrize(("moment", "is_committed"),
                         [(sends_commit, False), (answers_commit, True)], ids=["before", "after"])
def test_killed_at_commit(rabbitmq_server, db, queues, kopru, watched, moment,
                          is_committed) -> None:
    proxy, watch, conninfo = watched
    history.install(db)
    one_writer = [{"name": queues.customer, "entity": "customer", "writers": 1}]
    rabbitmq_server.publish_many(queues.customer, [_GOOD, _BAD])
    _have_redelivered(rabbitmq_server, queues.customer)
    daemon = kopru(start=False, postgres={"conninfo": conninfo}, queues=one_writer)
    stop = watch.stop_at(moment)
    daemon.launch()
    stop.wait()
    daemon.kill9()
    proxy.cut()  # what it held is not sent on
    watch.release_all()
    before = row_versions(db)
    assert bool(before) is is_committed
    assert len(read_dead_letters(db)) == is_committed

    again = kopru(queues=one_writer)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT customer_id, name FROM kopru.customers") == [("c1", "G 1")]
    assert db.value("SELECT count(*) FROM kopru.contact_mediums") == 1
    if is_committed:
        assert row_versions(db) == before
    assert db.query("SELECT number, count(*) FROM history.states GROUP BY 1") == [(1, 1)]
    (dead_letter,) = read_dead_letters(db)
    assert (dead_letter["body"], dead_letter["occurrences"],
            dead_letter["redelivered"]) == (_BAD, 1 + is_committed, True)
    assert again.terminate() == 0
