"""TLS to PostgreSQL and logins: what is refused, that each refusal says why, and that new secrets
need no restart.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from support import database, libconfig
from support.authority import Authority, private_authority
from support.daemon import default_settings, merged, run_kopru
from support.database import DAEMON, Database
from support.postgres import Postgres
from support.process import unprivileged_user
from support.wait import wait_until

UNREACHABLE, NO_PERMISSION = 69, 77
_HOST = "db.example.com"  # libpq goes to hostaddr and holds the certificate against this name


@dataclass
class TlsServer:
    """A server with TLS, whose settings a test may change for the connections after."""

    server: Postgres
    authority: Authority
    db: Database

    def set(self, **settings: object) -> None:
        with self.server.admin() as connection:
            for name, value in settings.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            connection.execute("SELECT pg_reload_conf()")
        for name, value in settings.items():
            wait_until(lambda name=name, value=value: self.db.value(f"SHOW {name}") == str(value),
                       10, f"{name} to be in force")

    def present(self, name: str, **certificate: object) -> None:
        """Show this certificate from now on."""
        pair = self.authority.certificate(name, **certificate)
        for path in pair:
            _give_to_server(path)
        self.set(ssl_cert_file=pair[0], ssl_key_file=pair[1])

    def conninfo(self, **parameters: object) -> str:
        """As for a server on another machine, which trusts its authority alone."""
        return psycopg.conninfo.make_conninfo(self.db.daemon_dsn, host=_HOST, hostaddr="127.0.0.1",
                                              **{
            "sslrootcert": self.authority.ca_file, **parameters})


def _give_to_server(path: Path) -> None:
    path.chmod(0o600)
    user = unprivileged_user("postgres")
    if user is not None:
        shutil.chown(path, user)


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with private_authority("postgres") as made:
        yield made


@pytest.fixture(scope="module")
def shared(authority: Authority) -> Iterator[TlsServer]:
    with Postgres(settings={"password_encryption": "'scram-sha-256'"}) as server:  # as from 14 on
        yield TlsServer(server, authority, database.create_installed(server))


@pytest.fixture
def tls(shared: TlsServer) -> Iterator[TlsServer]:
    shared.present("server", names=f"DNS:{_HOST}")
    shared.set(ssl="on", ssl_ca_file=shared.authority.ca_file)
    yield shared
    with shared.server.admin() as connection:
        connection.execute("ALTER SYSTEM RESET ALL")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture
def refusal(rabbitmq_server, queues, tmp_path):
    """What kopru check finds wrong with a way to connect: kind, reason and hint; None when nothing
    is.
    """
    def look(conninfo: str, env: dict[str, str] | None = None) -> tuple[int, str, str] | None:
        settings = merged(default_settings(rabbitmq_server.uri, conninfo, queues.entities()), {})
        path = tmp_path / "kopru.cfg"
        path.touch(mode=0o600)
        path.write_text(libconfig.to_text(settings), encoding="utf-8")
        report = json.loads(run_kopru("check", "-c", str(path), "--output", "json",
                                      env={"HOME": str(tmp_path), **(env or {})}).stdout)
        found = [problem for problem in report["problems"] if problem["area"] == "database"]
        assert len(found) <= 1, found
        return (found[0]["status"], found[0]["why"], found[0]["hint"]) if found else None

    return look


def test_the_server_is_verified_by_default(tls: TlsServer, refusal) -> None:
    assert refusal(tls.conninfo()) is None


@pytest.mark.parametrize(("certificate", "why", "hint"), [
    ({"names": f"DNS:{_HOST}", "expired": True}, "certificate verify failed", "has expired"),
    ({"names": f"DNS:{_HOST}", "issuer": "stranger"}, "certificate verify failed",
     "unable to get local issuer certificate"),
    ({"names": "DNS:other.example.com,IP:192.0.2.7"}, f'"{_HOST}"',
     f"asks for {_HOST}, and the server's certificate was made for other.example.com, 192.0.2.7"),
], ids=["expired", "unknown authority", "another host"])
def test_a_wrong_certificate_is_refused(tls: TlsServer, refusal, certificate, why: str,
                                        hint: str) -> None:
    tls.present("wrong", **certificate)
    status, said, advice = refusal(tls.conninfo())
    assert status == UNREACHABLE
    assert why in said
    assert hint in advice
    assert refusal(tls.conninfo(sslmode="require", sslrootcert="")) is None  # somebody who said so


def test_no_authority_is_named(tls: TlsServer, refusal) -> None:
    _status, said, advice = refusal(tls.conninfo(sslrootcert=""))
    assert "root certificate file" in said
    assert "sslrootcert=" in advice


def test_too_old_a_protocol(tls: TlsServer, refusal) -> None:
    tls.set(ssl_min_protocol_version="TLSv1", ssl_ciphers="DEFAULT:@SECLEVEL=0")
    tls.set(ssl_max_protocol_version="TLSv1.1")
    _status, said, advice = refusal(tls.conninfo())
    assert "protocol" in said
    assert "ssl_max_protocol_version" in advice


def test_no_fallback_to_plain_text(tls: TlsServer, refusal) -> None:
    tls.set(ssl="off")
    for conninfo in (tls.conninfo(), tls.conninfo(sslmode="verify-full")):
        _status, said, advice = refusal(conninfo)
        assert "server does not support SSL, but SSL was required" in said
        assert "set ssl = on" in advice
    assert refusal(tls.conninfo(), env={"PGSSLMODE": "disable"}) is None


@pytest.fixture
def login_rule(tls: TlsServer) -> Iterator:
    """Write pg_hba.conf for the daemon's login: hostssl or host, method, options."""
    path = tls.server.directory / "data" / "pg_hba.conf"
    before = path.read_text()

    def write(line: str) -> None:
        path.write_text(f"{line}\n{before}")
        with tls.server.admin() as connection:
            connection.execute("SELECT pg_reload_conf()")
        wait_until(lambda: line.split()[-1].partition("=")[0] in str(tls.db.query(
            "SELECT auth_method, options FROM pg_hba_file_rules WHERE error IS NULL")), 10,
                   "the rule")

    yield write
    path.write_text(before)
    with tls.server.admin() as connection:
        connection.execute("SELECT pg_reload_conf()")


def test_a_client_certificate(tls: TlsServer, refusal, login_rule, tmp_path) -> None:
    login_rule(f"hostssl all {DAEMON} all trust clientcert=verify-ca")
    status, said, advice = refusal(tls.conninfo())
    assert status == NO_PERMISSION
    assert "valid client certificate" in said
    assert "sslcert=" in advice
    certificate, key = tls.authority.certificate(DAEMON, names="DNS:client")
    key.chmod(0o600)
    assert refusal(tls.conninfo(sslcert=certificate, sslkey=key)) is None
    key.chmod(0o644)
    _status, said, _advice = refusal(tls.conninfo(sslcert=certificate, sslkey=key))
    assert "has group or world access" in said
    certificate, key = tls.authority.certificate("foreign", names="DNS:client", issuer="stranger")
    key.chmod(0o600)
    _status, said, advice = refusal(tls.conninfo(sslcert=certificate, sslkey=key))
    assert "unknown ca" in said
    assert "ssl_ca_file" in advice


def test_plain_text_where_the_server_wants_tls(tls: TlsServer, refusal, login_rule) -> None:
    login_rule(f"hostnossl all {DAEMON} all reject")
    status, said, advice = refusal(tls.conninfo(sslmode="disable"))
    assert status == NO_PERMISSION
    assert "sslmode=verify-full" in advice or "pg_hba.conf" in advice, said


# ---- passwords


def _write_passfile(path: Path, password: str) -> None:
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(f"*:*:*:{DAEMON}:{password}\n")
    new.rename(path)


def _terminate(db: Database) -> None:
    db.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", DAEMON)


def test_a_new_password_needs_no_restart(tls: TlsServer, login_rule, rabbitmq_server, queues, kopru,
                                         tmp_path) -> None:
    login_rule(f"host all {DAEMON} all scram-sha-256")
    passfile = tmp_path / "pgpass"
    tls.db.query(f"ALTER ROLE {DAEMON} PASSWORD 'first'")
    _write_passfile(passfile, "first")
    daemon = kopru(postgres={"conninfo": psycopg.conninfo.make_conninfo(tls.db.daemon_dsn,
                                                                        passfile=passfile)})
    names = "SELECT name FROM kopru.customers WHERE customer_id = 'rotated'"

    def publish(name: str) -> None:
        rabbitmq_server.publish(queues.customer,
                                json.dumps({"id": "rotated", "name": name}).encode())

    def applied(name: str) -> None:
        daemon.wait_until(lambda: tls.db.query(names) == [(name,)], 60, f"{name!r} to be applied")

    publish("with the first")
    applied("with the first")

    # The old one does not work any more, and the new one is not there yet.
    tls.db.query(f"ALTER ROLE {DAEMON} PASSWORD 'second'")
    _terminate(tls.db)
    publish("with the second")
    told = daemon.wait_until(lambda: [line for line in daemon.events("paused")
                                      if "password authentication failed" in line["why"]],
                             60, "a refused login")[0]
    assert told["level"] == "error"
    assert "passfile" in told["hint"]
    _write_passfile(passfile, "second")
    applied("with the second")

    # Others may read it: libpq does not.
    passfile.chmod(0o644)
    _terminate(tls.db)
    publish("with a private file")
    daemon.wait_until(lambda: [line for line in daemon.events("paused")
                               if f"chmod 600 {passfile}" in line["hint"]], 60,
                      "the file's mode to be named")
    passfile.chmod(0o600)
    applied("with a private file")
    assert "first" not in daemon.stderr_text().replace("the first", "")
    assert "second" not in daemon.stderr_text().replace("the second", "")
    assert tls.db.value("SELECT count(*) FROM kopru.dead_letters") == 0
    rabbitmq_server.wait_until_empty(queues.customer)
