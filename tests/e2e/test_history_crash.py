"""kill -9 at exact points of a transaction, and acknowledgements beside the commits that they stand
for.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pytest
from support.amqp_frames import BASIC_ACK, AmqpWatch
from support.daemon import Kopru
from support.pg_messages import PgWatch, answers_commit, sends_commit
from support.proxy import Proxy
from support.tables import row_versions
from support.wait import wait_until


@dataclass
class Watched:
    """What makes a daemon behind proxies, and what is seen on these."""

    make: Callable[..., Kopru]
    amqp: AmqpWatch
    postgres: PgWatch
    forget: Callable[[], None]  # what is held never arrives


@pytest.fixture
def watched(rabbitmq_server, postgres_server, db, queues, kopru) -> Iterator[Watched]:
    amqp, postgres = AmqpWatch(), PgWatch()

    def forget() -> None:
        to_broker.cut()
        to_server.cut()
        amqp.release_all()
        postgres.release_all()

    with (Proxy(rabbitmq_server.port, tap=amqp.tap) as to_broker,
          Proxy(postgres_server.port, tap=postgres.tap) as to_server):
        yield Watched(lambda **changes: kopru(**{
            "amqp": {"uri": f"amqp://guest:guest@127.0.0.1:{to_broker.port}/%2F"},
            "postgres": {"conninfo": psycopg.conninfo.make_conninfo(db.daemon_dsn,
                                                                    port=to_server.port)},
            "queues": [{"name": queues.customer, "entity": "customer", "writers": 1}], **changes}),
                      amqp, postgres, forget)
        forget()


_BODIES = [json.dumps({"id": str(n % 7), "name": f"name {n}",
                       "contactMedium": [{"city": f"{n}"}]}).encode() for n in range(50)]
_BAD = b'{"id": "1", "name": '
_LATEST = [(str(n), f"name {max(m for m in range(50) if m % 7 == n)}") for n in range(7)]


def _shown(db):
    return (db.query("SELECT customer_id, name FROM kopru.customers ORDER BY 1"),
            db.query("SELECT reason, occurrences FROM kopru.dead_letters"))


def _publish_redelivered(broker, queue):
    """They come first and together to the next consumer, and so are one transaction."""
    broker.publish_many(queue, [*_BODIES, _BAD])
    with broker.connect() as connection:
        channel = connection.channel()
        assert all(channel.basic_get(queue)[0] is not None for _ in range(len(_BODIES) + 1))


def _is_sent_ack(frame):
    return frame.is_from_client and frame.method == BASIC_ACK


@pytest.mark.parametrize("point", ["commit", "its answer", "acknowledgement"])
def test_kill9_at_a_point(rabbitmq_server, db, queues, watched, point):
    """Before COMMIT reached the server nothing is there. After it everything is, all of it comes
    back, and changes nothing but the count of the dead letter."""
    stop = {"commit": lambda: watched.postgres.stop_at(sends_commit),
            "its answer": lambda: watched.postgres.stop_at(answers_commit),
            "acknowledgement": lambda: watched.amqp.stop_at(_is_sent_ack)}[point]()
    _publish_redelivered(rabbitmq_server, queues.customer)
    daemon = watched.make(start=False)
    daemon.launch()
    stop.wait()
    daemon.kill9()
    watched.forget()
    wait_until(lambda: rabbitmq_server.depth(queues.customer).ready == len(_BODIES) + 1, 30,
               "the broker to take all back")
    assert _shown(db) == (([], []) if point == "commit" else (_LATEST, [("not_json", 1)]))
    before = row_versions(db)
    daemon.start()
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _shown(db) == (_LATEST, [("not_json", 1 if point == "commit" else 2)])
    if point != "commit":
        assert row_versions(db) == before
    assert daemon.terminate() == 0


# ---- acknowledgements and commits ----

# Commits take a while, so that an acknowledgement that does not wait for one is early by more than
# clocks can hide.
_SLOW_COMMIT = """
CREATE FUNCTION history.dawdle() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON history.states DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.n % 20 = 0) EXECUTE FUNCTION history.dawdle();
CREATE TABLE history.dead_letters (body bytea NOT NULL);
CREATE FUNCTION history.note_dead_letter() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN INSERT INTO history.dead_letters VALUES (NEW.body); RETURN NULL; END $$;
CREATE TRIGGER history AFTER INSERT OR UPDATE ON kopru.dead_letters
    FOR EACH ROW EXECUTE FUNCTION history.note_dead_letter();
"""
_STATES = ("SELECT entity_id, number, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float "
           "FROM history.states ORDER BY n")
_DEAD_LETTERS = ("SELECT body, min(extract(epoch FROM pg_xact_commit_timestamp(xmin))::float) "
                 "FROM history.dead_letters GROUP BY body")


def _early(db, acks, shift_s=0.0):
    """Acknowledged deliveries whose effect was not committed by then, had the acknowledgements been
    sent so much earlier.
    """
    states: dict[str, list[tuple[int, float]]] = {}
    for entity_id, number, at in db.query(_STATES):
        states.setdefault(entity_id, []).append((number, at))
    dead_letters = {bytes(body): at for body, at in db.query(_DEAD_LETTERS)}
    for ack in acks:
        for delivery in ack.covers:
            try:
                payload = json.loads(delivery.body)
                number = int(payload["name"].rpartition(" ")[2])
                # Folded into a later message of the batch, it is committed with that one.
                committed = next(at for shown, at in states[payload["id"]] if shown >= number)
            except (ValueError, KeyError, TypeError, AttributeError):
                committed = dead_letters[delivery.body]
            if committed >= ack.at - shift_s:
                yield delivery.body, committed - ack.at


def test_every_acknowledgement_is_later_than_the_commits_that_it_covers(rabbitmq_server, db, queues,
                                                                        observed, watched):
    db.query(_SLOW_COMMIT)
    db.query("GRANT USAGE ON SCHEMA history TO PUBLIC")
    daemon = watched.make(queues=[{"name": queues.customer, "entity": "customer", "writers": 4}],
                          batch={"max_messages": 50})
    with observed.start(queues={queues.customer: "customer"}, backlog=1500, bad_share=0.03):
        wait_until(lambda: db.value("SELECT count(*) FROM history.states") > 2000, 120,
                   "some thousand states")
        db.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "
                 "'kopru_daemon'")
        wait_until(lambda: db.value("SELECT count(*) FROM history.states") > 3000, 120,
                   "work to go on")
    daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).is_empty, 120,
                      "the queue to be empty")
    assert daemon.terminate() == 0
    acks = watched.amqp.acks()
    assert sum(len(ack.covers) for ack in acks) == len(watched.amqp.deliveries()) > 3000
    assert list(_early(db, acks)) == []
    # all of them were looked up
    assert len(list(_early(db, acks, shift_s=3600))) == len(watched.amqp.deliveries())
    verdict = observed.check()
    assert verdict.is_clean, verdict


@pytest.mark.full
def test_no_row_steps_back_with_four_writers_and_lost_connections(rabbitmq_server, db, queues,
                                                                  kopru, observed, choice):
    daemon = kopru(queues=[{"name": queues.customer, "entity": "customer", "writers": 4}],
                   batch={"max_messages": 50})
    with observed.start(queues={queues.customer: "customer"}, backlog=1500, entities=30):
        for _ in range(12):
            before = db.value("SELECT count(*) FROM history.states")
            wait_until(lambda count=before: db.value("SELECT count(*) FROM history.states") > count
                       + 50, 60, "work to go on")
            if choice.random() < 0.3:
                rabbitmq_server.rabbitmqctl("close_all_connections", "test")
            db.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "
                     "'kopru_daemon' AND random() < 0.5")
    daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).is_empty, 120,
                      "the queue to be empty")
    assert daemon.terminate() == 0
    verdict = observed.check()
    assert verdict.is_clean, verdict
