"""Little may be unacknowledged, and the broker is slow to read acknowledgements: nobody sees a
step back after a crash.
"""

import pytest
from support.wait import wait_until

_BACKLOG = 3000
_MAX_UNACKNOWLEDGED = 256 * 1024
_PREFETCH = _MAX_UNACKNOWLEDGED // 8192  # so that all that can come back fits


@pytest.mark.parametrize("crashes", [6, pytest.param(40, marks=pytest.mark.full)])
def test_what_comes_back_fits_and_shows_nothing_old(rabbitmq_server, db, queues, kopru, observed,
                                                    crashes):
    """All that was committed before the crash was unacknowledged then, or acknowledged in vain:
    it is among the redelivered messages.
    """
    daemon = kopru(start=False, limits={"max_unacknowledged_bytes": _MAX_UNACKNOWLEDGED,
                                        "max_message_bytes": 65536}, batch={"max_bytes": 65536})
    with observed.start(entities=5, backlog=_BACKLOG):
        for queue in queues.entities():
            wait_until(lambda name=queue: rabbitmq_server.depth(name).ready >= _BACKLOG, 60,
                       "a backlog")
        held = 0
        for _ in range(crashes):
            daemon.launch()
            daemon.wait_for_event("consuming", count=2)
            states = db.value("SELECT count(*) FROM history.states")
            daemon.wait_until(lambda: db.value("SELECT count(*) FROM history.states") > states + 20,
                              60, "rows to be written")
            daemon.kill9()
            held += sum(line["messages"] for line in daemon.events("redelivered_messages"))
        daemon.launch()
    for queue in queues.entities():
        daemon.wait_until(lambda name=queue: rabbitmq_server.depth(name).is_empty, 120,
                          f"queue {queue!r} to be empty")
    assert daemon.terminate() == 0
    verdict = observed.check()
    assert verdict.is_clean, verdict
    assert held > crashes
    assert {line["prefetch"] for line in daemon.events("consuming")} == {_PREFETCH}
