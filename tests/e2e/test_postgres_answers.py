"""Answers that no PostgreSQL can be made to give here: a scripted server gives them."""

import json
import socket
import struct
import threading
from collections.abc import Iterator

import psycopg
import pytest
from support import libconfig
from support.daemon import default_settings, run_kopru

PROBLEMS, UNREACHABLE, NO_PERMISSION = 1, 69, 77
_SSL_REQUEST = 80877103


def _message(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("!I", len(payload) + 4) + payload


def _error(**fields: str) -> bytes:
    return _message(b"E", b"".join(name.encode() + value.encode() + b"\0"
                                   for name, value in fields.items()) + b"\0")


_LOGGED_IN = (_message(b"R", struct.pack("!I", 0)) + _message(b"S", b"server_version\x0015.8\0")
              + _message(b"Z", b"I"))


class Script:
    """Answers the login with one thing, and the first statement with another."""

    def __init__(self, login: bytes, statement: bytes = b""):
        self._login = login
        self._statement = statement
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.conninfo = psycopg.conninfo.make_conninfo(
            host="127.0.0.1", port=self._listener.getsockname()[1], dbname="crm", user="kopru",
            gssencmode="disable")

    def __enter__(self) -> "Script":
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                try:
                    self._serve(client)
                except (OSError, struct.error):
                    pass  # the client left

    def _serve(self, client: socket.socket) -> None:
        size, code = struct.unpack("!II", client.recv(8, socket.MSG_WAITALL))
        while code == _SSL_REQUEST:
            client.sendall(b"N")
            size, code = struct.unpack("!II", client.recv(8, socket.MSG_WAITALL))
        client.recv(size - 8, socket.MSG_WAITALL)
        client.sendall(self._login)
        if not self._statement:
            return
        data = b""
        while not data.endswith(_message(b"S", b"")):
            data += client.recv(65536)
        client.sendall(self._statement + _message(b"Z", b"I"))
        client.recv(65536)


@pytest.fixture
def problem(tmp_path) -> Iterator:
    """The one problem of the database that kopru check names."""
    def look(conninfo: str) -> dict:
        path = tmp_path / "kopru.cfg"
        path.touch(mode=0o600)
        path.write_text(libconfig.to_text(default_settings("amqp://u:p@127.0.0.1:1", conninfo,
                                                           {"q": "customer"})), encoding="utf-8")
        report = json.loads(run_kopru("check", "-c", str(path), "--output", "json").stdout)
        (found,) = [problem for problem in report["problems"] if problem["area"] == "database"]
        return found

    return look


@pytest.mark.parametrize(("severity", "sqlstate", "status", "hint"), [
    ("FATAL", "28P01", NO_PERMISSION, "check user and password"),
    ("ÖLÜMCÜL", "28P01", NO_PERMISSION, "check user and password"),
    ("ÖLÜMCÜL", "3D000", UNREACHABLE, "check dbname"),
    ("FATAL", "53300", UNREACHABLE, "no free connection"),
    ("FATAL", "57P03", UNREACHABLE, "the server starts up"),
    ("FATAL", "08P01", UNREACHABLE, "the connection failed"),
    ("FATAL", "ZZ999", UNREACHABLE, "check that the server runs"),
])
def test_a_login_is_refused(problem, severity: str, sqlstate: str, status: int, hint: str) -> None:
    """The server translates the severity; libpq does not give the SQLSTATE but in its text."""
    with Script(_error(S=severity, V="FATAL", C=sqlstate, M="ileti", D="SECRET",
                       H="SECRET")) as server:
        found = problem(server.conninfo)
    assert found["status"] == status, found
    assert found["hint"].startswith(hint), found
    assert "SECRET" not in json.dumps(found)


@pytest.mark.parametrize(("fields", "status", "hint"), [
    # PostgreSQL's own
    ({"S": "ERROR", "V": "ERROR", "C": "08P01"}, PROBLEMS, "the server cannot read a parameter"),
    ({"S": "ERROR", "C": "08P01"}, UNREACHABLE, "the connection failed"),  # a pooler's own
    ({"S": "ERROR", "V": "ERROR", "C": "42501"}, NO_PERMISSION, "run `kopru check`"),
    ({"S": "ERROR", "V": "ERROR", "C": "XX001"}, PROBLEMS, "data corruption"),
    ({"S": "ERROR", "V": "ERROR", "C": "53200"}, UNREACHABLE, "the server has no memory"),
])
def test_a_statement_is_refused(problem, fields: dict[str, str], status: int, hint: str) -> None:
    with Script(_LOGGED_IN, _error(**fields, M="permission denied for table customers", D="SECRET",
                                   H="SECRET")) as server:
        found = problem(server.conninfo)
    assert found["status"] == status, found
    assert found["hint"].startswith(hint), found
    assert "SECRET" not in json.dumps(found)
    assert ("customers" in found["why"]) == (fields["C"] == "42501")


@pytest.mark.parametrize("answer",
                         [b"N", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"E\xff\xff\xff\xff", b""])
def test_it_is_no_postgresql(problem, answer: bytes) -> None:
    with Script(answer) as server:
        found = problem(server.conninfo)
    assert (found["status"], found["what"]) == (UNREACHABLE, "cannot connect to the database")
