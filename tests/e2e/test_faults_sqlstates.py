"""An outage may answer any statement with any SQLSTATE: no good message becomes a dead letter for
it, and all is written when it is over.
"""

import json

import psycopg
import pytest
from support.customers import only_customers, wait_until_empty
from support.pg_errors import STATEMENTS, PgErrors
from support.proxy import Proxy

pytestmark = pytest.mark.matrix

# A program limit and what a server in need of VACUUM says; a trigger's; a value's; a disk that is
# full; a privilege; a conflict; a cached plan; a connection; an administrator.
_SQLSTATES = ["54000", "P0001", "22003", "53100", "42501", "40001", "0A000", "08001", "57014"]
_NOT_RAISED_AGAIN = ("copy", "0A000")  # the writer sends no COPY after it
_RAISED = 3  # errors, before the outage ends
_DRAWN = 3  # of the SQLSTATEs, where not all are tried
_ENTITIES = 15
_MEDIUMS = 10
_NEW = 3
_MEDIUMS_OF_NEW = 220  # enough for COPY


@pytest.fixture(scope="module")
def errors(postgres_server):
    errors = PgErrors()
    with Proxy(postgres_server.port, tap=errors.tap) as proxy:
        yield errors, proxy


def _customer(entity_id: str, name: str, mediums: int) -> bytes:
    return json.dumps({"id": entity_id, "name": name, "contactMedium": [
        {"mediumType": "email", "characteristic": {"city": f"{name} {n}"}}
        for n in range(mediums)]}).encode()


@pytest.mark.parametrize("count", [_DRAWN, pytest.param(len(_SQLSTATES), marks=pytest.mark.full)])
@pytest.mark.parametrize("statement", STATEMENTS)
def test_an_outage_at_one_statement_is_blamed_on_no_message(rabbitmq_server, db, queues, kopru,
                                                            choice, errors, statement, count):
    outage, proxy = errors
    sqlstates = [state for state in choice.sample(_SQLSTATES, count)
                 if (statement, state) != _NOT_RAISED_AGAIN]
    daemon = kopru(queues=only_customers(queues), postgres={
        "conninfo": psycopg.conninfo.make_conninfo(db.daemon_dsn, port=str(proxy.port))})
    rabbitmq_server.publish_many(queues.customer, [_customer(f"old-{n}", "first", _MEDIUMS)
                                                   for n in range(_ENTITIES)])
    wait_until_empty(rabbitmq_server, queues, daemon)
    for round_, sqlstate in enumerate(sqlstates):
        before = outage.raised
        outage.raise_at(statement, sqlstate)
        bad = f'{{"id": "bad-{sqlstate}",'.encode()
        # each batch has new rows and changed ones, rows to delete, and a dead letter
        bodies = [_customer(f"new-{sqlstate}-{n}", sqlstate, _MEDIUMS_OF_NEW)
                  for n in range(_NEW)]
        bodies += [_customer(f"old-{n}", sqlstate, 1 + (round_ + n) % _MEDIUMS)
                   for n in range(_ENTITIES)]
        daemon.stop()  # a batch is what waits: a new root that is alone in it is not copied
        rabbitmq_server.publish_many(queues.customer, [*bodies, bad])
        daemon.cont()
        daemon.wait_until(lambda: outage.raised >= before + _RAISED, 60,
                          f"{_RAISED} errors {sqlstate} at {statement!r}")
        outage.stop()
        wait_until_empty(rabbitmq_server, queues, daemon)
        assert db.query("SELECT reason FROM kopru.dead_letters WHERE body = %s", bad) == [
            ("not_json",)]
        assert db.query("SELECT name, count(*) FROM kopru.customers WHERE customer_id LIKE 'old%'"
                        " GROUP BY 1") == [(sqlstate, _ENTITIES)]
        assert db.value("SELECT count(*) FROM kopru.customers WHERE name = %s", sqlstate
                        ) == _ENTITIES + _NEW
    assert db.query("SELECT reason, sqlstate, count(*) FROM kopru.dead_letters GROUP BY 1, 2"
                    ) == [("not_json", None, len(sqlstates))]
    assert db.value("SELECT count(*) FROM kopru.contact_mediums WHERE customer_id LIKE 'new%'"
                    ) == len(sqlstates) * _NEW * _MEDIUMS_OF_NEW
