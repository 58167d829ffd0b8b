"""A holder is taken for dead only if its death is proven, or if it had the time to renew its lease
and did not.
"""

import itertools
import json
import subprocess
from collections.abc import Callable

import pytest
from support import hidepid
from support.daemon import Kopru
from support.wait import wait_until

pytestmark = pytest.mark.matrix

_TAKEOVER_S = 30
_LOOKS = 6  # of a standby, a second apart


@pytest.fixture
def hidden(kopru) -> Callable[..., Kopru]:
    """Makes daemons, each of another user, that cannot see each other's processes."""
    reason = hidepid.why_impossible()
    if reason is not None:
        pytest.skip(reason)
    uids = itertools.count(hidepid.FIRST_UID)

    def make(**changes: object) -> Kopru:
        return kopru(start=False, prefix=hidepid.as_user_that_sees_only_itself(next(uids)),
                     log={"level": "debug"}, **changes)

    return make


def _sees(daemon: Kopru, other: Kopru) -> bool:
    """Whether a process of the daemon's user, in its mount namespace, sees the other's."""
    done = subprocess.run(["nsenter", f"--mount=/proc/{daemon.pid}/ns/mnt", "--", "setpriv",
                           "--reuid=64099", "--regid=64099", "--clear-groups", "--inh-caps=-all",
                           "--", "test", "-e", f"/proc/{other.pid}/stat"], check=False)
    return done.returncode == 0


def test_two_users_that_cannot_see_each_other_leave_each_other_alone(rabbitmq_server, db, queues,
                                                                     hidden) -> None:
    first = hidden()
    second = hidden()
    first.start()
    second.launch()
    second.wait_until(lambda: second.events("standby") or second.events("lease_acquired"),
                      _TAKEOVER_S, "a look at the lease")
    assert not _sees(second, first)
    rows = db.query("SELECT queue, epoch, holder FROM kopru.queues ORDER BY queue")
    count = len(queues.entities())
    second.wait_for_event("standby", count=_LOOKS * count)
    assert db.query("SELECT queue, epoch, holder FROM kopru.queues ORDER BY queue") == rows
    assert not first.events("lease_lost")
    assert not second.events("lease_acquired")

    rabbitmq_server.publish(queues.customer, json.dumps({"id": "1", "name": "one"}).encode())
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT name FROM kopru.customers") == [("one",)]

    # That there is no such process, the kernel tells everybody.
    first.kill9()
    second.wait_until_ready(_TAKEOVER_S)
    assert len(second.events("lease_acquired")) == count
    assert second.terminate() == 0


def test_an_outage_of_the_database_costs_nobody_the_lease(rabbitmq_server, postgres_server, db,
                                                          queues, kopru) -> None:
    """It lasts longer than a lease, and the standby may be the first that connects again."""
    first = kopru(log={"level": "debug"})
    second = kopru(start=False, log={"level": "debug"})
    second.launch()
    second.wait_for_event("standby")
    rows = db.query("SELECT queue, epoch, holder FROM kopru.queues ORDER BY queue")
    postgres_server.stop()
    try:
        first.wait_for_event("database_unavailable", count=6)
    finally:
        postgres_server.start()
    looks = len(second.events("standby"))
    second.wait_for_event("standby", count=looks + (_LOOKS + 2) * len(queues.entities()))
    assert db.query("SELECT queue, epoch, holder FROM kopru.queues ORDER BY queue") == rows
    assert not first.events("lease_lost")
    assert not second.events("lease_acquired")
    rabbitmq_server.publish(queues.customer, json.dumps({"id": "1", "name": "one"}).encode())
    rabbitmq_server.wait_until_empty(queues.customer)


def test_a_holder_that_renews_while_a_standby_waits_for_its_row_keeps_it(db, queues,
                                                                         kopru) -> None:
    """The lease had expired when the standby read it, and is renewed before the standby has the
    lock.
    """
    only = {"queues": [{"name": queues.customer, "entity": "customer"}], "log": {"level": "debug"}}
    waiting = ("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query "
               "LIKE '%%kopru.queues%%FOR UPDATE%%'")
    renewed_at = "SELECT renewed_at FROM kopru.queues"
    first = kopru(**only)
    second = kopru(start=False, **only)
    second.launch()
    second.wait_for_event("standby")
    row = db.query("SELECT epoch, holder FROM kopru.queues")
    first.stop()
    with db.admin() as other, other.transaction():
        other.execute("SELECT FROM kopru.queues FOR KEY SHARE")
        before = db.value(renewed_at)
        wait_until(lambda: db.value(waiting), 60, "the standby to wait for the row")
        first.cont()
        wait_until(lambda: db.value(renewed_at) != before, 30, "a renewal")
    second.wait_for_event("standby", count=len(second.events("standby")) + _LOOKS + 2)
    assert db.query("SELECT epoch, holder FROM kopru.queues") == row
    assert not first.events("lease_lost")
    assert not second.events("lease_acquired")


def test_a_failover_that_loses_a_takeover_does_not_make_two_holders(db, queues, kopru) -> None:
    """The row goes back to what it was before the second took over, and the first acquires it
    again. The epoch that it gets is not the one under which the second still writes.
    """
    only = {"queues": [{"name": queues.customer, "entity": "customer"}], "log": {"level": "debug"},
            "amqp": {"heartbeat": 1}}
    lease = "SELECT epoch, holder, instance, state FROM kopru.queues"
    first = kopru(**only)
    second = kopru(start=False, **only)
    second.launch()
    second.wait_for_event("standby")
    (before,) = db.query(lease)
    first.stop()
    second.wait_for_event("lease_acquired")
    first.cont()
    first.wait_for_event("standby")
    second.stop()
    try:
        db.query("UPDATE kopru.queues SET epoch = %s, holder = %s, instance = %s, state = %s",
                 *before)
        first.wait_for_event("lease_acquired", count=2)
        (after,) = db.query(lease)
    finally:
        second.cont()
    second.wait_for_event("lease_lost")
    assert db.query("SELECT epoch, instance FROM kopru.queues") == [(after[0], before[2])]
    assert len(first.events("lease_lost")) == 1
