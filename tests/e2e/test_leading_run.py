"""What comes back after a crash is more than may be in hand: still nobody sees a step back."""

import pytest
from support.wait import wait_until

_BACKLOG = 3000
_IN_HAND = 256 * 1024  # some 30 messages; the broker hands out 2,000


@pytest.mark.parametrize("crashes", [6, pytest.param(40, marks=pytest.mark.full)])
def test_a_run_beyond_what_may_be_in_hand_shows_nothing_old(rabbitmq_server, db, queues, kopru, observed, crashes):
    """All that was committed before the crash was in hand then, and so is in the first part of the run."""
    daemon = kopru(start=False, limits={"max_bytes_in_hand": _IN_HAND, "max_message_bytes": 65536}, batch={"max_bytes": 65536})
    with observed.start(entities=5, backlog=_BACKLOG):
        for queue in queues.entities():
            wait_until(lambda name=queue: rabbitmq_server.depth(name).ready >= _BACKLOG, 60, "a backlog")
        parts = 0
        for _ in range(crashes):
            daemon.launch()
            daemon.wait_for_event("consuming", count=2)
            states = db.value("SELECT count(*) FROM history.states")
            daemon.wait_until(lambda: db.value("SELECT count(*) FROM history.states") > states + 20, 60, "rows to be written")
            daemon.kill9()
            parts += sum(line["ended_by"] == "max_bytes_in_hand" for line in daemon.events("leading_run"))
        daemon.launch()
    for queue in queues.entities():
        daemon.wait_until(lambda name=queue: rabbitmq_server.depth(name).is_empty, 120, f"queue {queue!r} to be empty")
    assert daemon.terminate() == 0
    verdict = observed.check()
    assert verdict.is_clean, verdict
    assert parts > 0
