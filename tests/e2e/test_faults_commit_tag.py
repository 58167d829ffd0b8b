"""A COMMIT that is answered without an error, and did not commit: only its command tag tells."""

import json
from collections.abc import Iterator

import psycopg
from support.proxy import Proxy


class _Aborts:
    """While it is on, what a connection prepares as COMMIT is ABORT, whose tag is ROLLBACK."""

    def __init__(self) -> None:
        self.on = False

    def __call__(self) -> "_Aborts":
        return self

    def to_server(self, data: bytes) -> Iterator[bytes]:
        yield data.replace(b"COMMIT\0\0\0", b"ABORT \0\0\0") if self.on else data

    def to_client(self, data: bytes) -> Iterator[bytes]:
        yield data


def test_a_commit_that_rolled_back_is_not_acknowledged(rabbitmq_server, postgres_server, db, queues,
                                                       kopru):
    aborts = _Aborts()
    with Proxy(postgres_server.port, tap=aborts) as proxy:
        daemon = kopru(postgres={"conninfo": psycopg.conninfo.make_conninfo(db.daemon_dsn,
                                                                            port=str(proxy.port))})
        aborts.on = True  # for the writers, which connect with their first message
        rabbitmq_server.publish(queues.customer, json.dumps({"id": "1", "name": "kept"}).encode())

        def decided():
            told = daemon.events("database_unavailable")
            return (told or daemon.events("broker_unavailable")
                    or rabbitmq_server.depth(queues.customer).is_empty)

        daemon.wait_until(decided, 30, "the transaction to be decided")
        assert "command tag ROLLBACK" in daemon.stderr_text()
        assert rabbitmq_server.depth(queues.customer).unacked == 1
        assert db.query("SELECT * FROM kopru.customers") == []
        aborts.on = False
        proxy.cut()
        rabbitmq_server.wait_until_empty(queues.customer)
        assert db.query("SELECT name FROM kopru.customers") == [("kept",)]
        assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
