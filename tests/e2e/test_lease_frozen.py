"""An instance that froze at the worst moment, and wakes up when another has its lease, commits
nothing any more.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg
import pytest
from support import history
from support.amqp_frames import BASIC_ACK, AmqpWatch
from support.daemon import Kopru
from support.pg_messages import PgWatch, answers_commit, sends_commit, sends_epoch_check
from support.pgbouncer import PgBouncer
from support.proxy import Proxy
from support.wait import wait_until
from support.watch import Stop

_HEARTBEAT_S = 1
# the server ends the transaction that it froze in after the first
_LIMITS = {"statement_timeout": 3, "lock_timeout": 2}
_TAKEOVER_S = 60
_BACKLOG = 500


@dataclass
class Scene:
    """A queue with load on it, an instance behind proxies that consumes it, and one that stands by.
    """

    queue: str
    amqp: AmqpWatch
    postgres: PgWatch
    first: Kopru
    second: Kopru


@pytest.fixture
def scene(rabbitmq_server, postgres_server, db, kopru) -> Iterator[Callable[..., Scene]]:
    """scene("quorum", "pgbouncer")"""
    queue = f"customer-{secrets.token_hex(4)}"
    amqp, postgres = AmqpWatch(), PgWatch()

    def daemon(name: str, pg_port: int, amqp_port: int) -> Kopru:
        return kopru(start=False, queues=[{"name": queue, "entity": "customer"}],
                     log={"level": "debug"},
                     amqp={"uri": f"amqp://guest:guest@127.0.0.1:{amqp_port}/%2F",
                           "heartbeat": _HEARTBEAT_S},
                     postgres={"conninfo": psycopg.conninfo.make_conninfo(db.daemon_dsn,
                                                                          port=pg_port,
                                                                          application_name=name),
                               **_LIMITS})

    def make(kind: str, route: str) -> Scene:
        # Without a limit a quorum queue returns messages to its end.
        limit = {"x-delivery-limit": 1000} if kind == "quorum" else {}
        rabbitmq_server.declare_queue(queue, quorum=kind == "quorum", arguments=limit)
        pg_port = postgres_server.port
        if route == "pgbouncer":
            pg_port = stack.enter_context(PgBouncer(postgres_server, pool_size=10)).port
        first = daemon("first", stack.enter_context(Proxy(pg_port, tap=postgres.tap)).port,
                       stack.enter_context(Proxy(rabbitmq_server.port, tap=amqp.tap)).port)
        first.start()
        second = daemon("second", pg_port, rabbitmq_server.port)
        second.launch()
        second.wait_for_event("standby", count=2)
        return Scene(queue, amqp, postgres, first, second)

    with ExitStack() as stack:
        stack.callback(lambda: rabbitmq_server.delete_queue(queue))
        yield make
        amqp.release_all()
        postgres.release_all()


def _before_its_epoch_check(scene: Scene) -> Stop:
    """It has deliveries, and its check of the epoch is on the way: that arrives when another has
    the lease.
    """
    return scene.postgres.stop_at(sends_epoch_check)


def _inside_transaction(scene: Scene) -> Stop:
    """All is written but COMMIT; the server rolls back after a while."""
    return scene.postgres.stop_at(sends_commit)


def _inside_a_message(scene: Scene) -> Stop:
    """The same, but the server has read the beginning of COMMIT: it waits for the rest, and its
    timeouts wait with it.
    """
    return scene.postgres.stop_at(sends_commit, passing_bytes=3)


def _committed_and_not_told(scene: Scene) -> Stop:
    return scene.postgres.stop_at(answers_commit)


def _between_commit_and_ack(scene: Scene) -> Stop:
    return scene.amqp.stop_at(lambda frame: frame.is_from_client and frame.method == BASIC_ACK)


_MOMENTS = [_before_its_epoch_check, _inside_transaction, _inside_a_message,
            _committed_and_not_told, _between_commit_and_ack]
_BY_DEFAULT = {("classic", "direct", _inside_a_message),
               ("quorum", "pgbouncer", _between_commit_and_ack)}


@pytest.mark.parametrize(("kind", "route", "moment"), [
    pytest.param(kind, route, moment, id=f"{kind}-{route}-{moment.__name__[1:]}",
                 marks=[] if (kind, route, moment) in _BY_DEFAULT else [pytest.mark.full])
    for kind in ("classic", "quorum") for route in ("direct", "pgbouncer") for moment in _MOMENTS])
def test_the_loser_commits_nothing(rabbitmq_server, db, observed, scene, kind, route, moment):
    stage = scene(kind, route)
    with observed.start(queues={stage.queue: "customer"}, backlog=_BACKLOG, entities=40):
        wait_until(lambda: db.value("SELECT count(*) FROM history.states") > 100, 60,
                   "rows of the first")
        stop = moment(stage)
        stop.wait()
        stage.first.stop()
        stage.second.wait_until_ready(_TAKEOVER_S)
        written = "SELECT count(*) FROM history.states WHERE writer = 'second'"
        wait_until(lambda: db.value(written) > 100, 60, "rows of the second")
        stop.release()
        stage.first.cont()
        stage.first.wait_for_event("standby", _TAKEOVER_S)
        more = db.value(written)
        wait_until(lambda: db.value(written) > more, 60, "the second to go on")
    stage.second.wait_until(lambda: rabbitmq_server.depth(stage.queue).is_empty, 120,
                            "the queue to be empty")
    verdict = observed.check()
    assert verdict.is_clean, verdict
    assert history.writers(db) == ["first", "second"]
    assert rabbitmq_server.depth(stage.queue).consumers == 1
    assert stage.first.terminate() == 0
    assert stage.second.terminate() == 0
