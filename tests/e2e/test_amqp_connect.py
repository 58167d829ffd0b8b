"""Connecting: what the consumer says to a server that is no broker, and what TLS accepts and
refuses.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from e2e.test_amqp_consumer import PERMISSION, UNAVAILABLE, Probe
from support.authority import Authority, private_authority
from support.process import free_port
from support.proxy import Proxy
from support.rabbitmq import RabbitMQ

CONFIG = 78
_QUICK = {"connect_timeout_ms": 5000, "rpc_timeout_ms": 5000}
_SILENT = {"connect_timeout_ms": 500, "rpc_timeout_ms": 500}


def attempt(uri: str, **endpoint: object) -> dict:
    """The answer of one attempt to open a consumer; the probe must end in order."""
    probe = Probe(**{"uri": uri, **_QUICK, **endpoint})
    try:
        probe.close()
    finally:
        probe.kill()
    return probe.opened


def assert_refused(answer: dict, *words: str, kind: int = UNAVAILABLE) -> None:
    assert answer.get("error") == kind, answer
    for word in words:
        assert word in answer["what"] + answer["why"] + answer["hint"], answer


# ---- servers that are no broker


class Server:
    """Accepts connections one after another and gives each to serve."""

    def __init__(self, serve: Callable[[socket.socket], None]):
        self._serve = serve
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", free_port()))
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.settimeout(30)
            with client:
                try:
                    self._serve(client)
                except OSError:
                    pass  # the client left, which is what most of these tests are about

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()


def _hang_up(client: socket.socket) -> None:
    client.recv(8)


def _speak_http(client: socket.socket) -> None:
    client.recv(8)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" + b"x" * 4096)
    client.recv(1)


def _say_nothing(client: socket.socket) -> None:
    while client.recv(100):
        pass


def _huge_frame(client: socket.socket) -> None:
    client.recv(8)
    client.sendall(b"\x01\x00\x00\x7f\xff\xff\xff" + b"\0" * 100)
    client.recv(1)


def _wrong_frame_end(client: socket.socket) -> None:
    client.recv(8)
    client.sendall(b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x0a\x00")
    client.recv(1)


@pytest.mark.parametrize(("serve", "limits", "why"), [
    (_hang_up, _QUICK, "closed by the other side"),
    (_speak_http, _QUICK, "not valid AMQP"),
    (_huge_frame, _QUICK, "not valid AMQP"),
    (_wrong_frame_end, _QUICK, "not valid AMQP"),
    (_say_nothing, _SILENT, "did not answer in time"),
])
def test_no_broker(serve: Callable[[socket.socket], None], limits: dict[str, int],
                   why: str) -> None:
    with Server(serve) as server:
        assert_refused(attempt(f"amqp://u:p@127.0.0.1:{server.port}", **limits), "cannot log in",
                       why)


@pytest.mark.parametrize(("serve", "limits", "why"), [
    (_hang_up, _QUICK, "closed the connection during the handshake"),
    (_speak_http, _QUICK, "wrong version number"),
    (_say_nothing, _SILENT, "did not answer in time"),
])
def test_no_tls(serve: Callable[[socket.socket], None], limits: dict[str, int], why: str) -> None:
    with Server(serve) as server:
        assert_refused(attempt(f"amqps://u:p@127.0.0.1:{server.port}", **limits), "over TLS", why)


def test_nobody_listens_for_tls() -> None:
    port = free_port()
    assert_refused(attempt(f"amqps://u:p@127.0.0.1:{port}"), "127.0.0.1: Connection refused")


# ---- certificates


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with private_authority("rabbitmq") as made:
        yield made


@dataclass
class TlsServer:
    """Finishes the handshake if the client does, notes the name it was asked for, and hangs up."""

    certificate: Path
    key: Path
    oldest_only: bool = False
    names: list[str | None] = field(default_factory=list)

    def _serve(self, client: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self.oldest_only:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.load_cert_chain(self.certificate, self.key)
        context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        with context.wrap_socket(client, server_side=True) as session:
            session.recv(8)

    def listen(self) -> Server:
        return Server(self._serve)


@pytest.mark.parametrize(("names", "issuer", "expired", "why"), [
    ("DNS:other.example.com,DNS:b", "ca", False, "amqp.uri asks for localhost, and the broker's "
     "certificate was made for other.example.com, b: "),
    ("DNS:localhost", "stranger", False, "unable to get local issuer certificate"),
    ("DNS:localhost", "ca", True, "certificate has expired"),
])
def test_refused_certificate(authority: Authority, names: str, issuer: str, expired: bool,
                             why: str) -> None:
    pair = authority.certificate("refused", names=names, issuer=issuer, expired=expired)
    with TlsServer(*pair).listen() as server:
        uri = f"amqps://u:p@localhost:{server.port}"
        assert_refused(attempt(uri, ca_file=authority.ca_file),
                       "the broker's certificate is refused", why)
        # The system's store does not know it either; and nobody is asked who said not to ask.
        assert_refused(attempt(uri), "the broker's certificate is refused")
        assert_refused(attempt(f"{uri}?verify=verify_none"), "cannot log in",
                       "closed by the other side")


def test_refused_address(authority: Authority) -> None:
    pair = authority.certificate("address", names="IP:127.0.0.2")
    with TlsServer(*pair).listen() as server:
        answer = attempt(f"amqps://u:p@127.0.0.1:{server.port}", ca_file=authority.ca_file)
        assert_refused(answer, "the broker's certificate is refused", "IP address mismatch")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_too_old_protocol(authority: Authority) -> None:
    pair = authority.certificate("old", names="DNS:localhost")
    with TlsServer(*pair, oldest_only=True).listen() as server:
        answer = attempt(f"amqps://u:p@localhost:{server.port}", ca_file=authority.ca_file)
        assert_refused(answer, "over TLS", "protocol version")


@pytest.mark.parametrize(("host", "query", "announced"), [
    ("localhost", "", "localhost"),
    ("127.0.0.1", "", None),
    ("127.0.0.1", "?server_name_indication=localhost", "localhost"),
    ("localhost", "?server_name_indication=disable", None),
])
def test_announced_name(authority: Authority, host: str, query: str, announced: str | None) -> None:
    """The host name goes into the handshake, although each of its addresses is tried singly."""
    tls = TlsServer(*authority.certificate("announced", names="DNS:localhost,IP:127.0.0.1"))
    with tls.listen() as server:
        answer = attempt(f"amqps://u:p@{host}:{server.port}{query}", ca_file=authority.ca_file)
        # so the handshake went well
        assert_refused(answer, "cannot log in", "closed by the other side")
    assert tls.names == [announced]


def test_unusable_files(authority: Authority) -> None:
    certificate, key = authority.certificate("unusable", names="DNS:localhost")
    _, other_key = authority.certificate("unusable2", names="DNS:localhost")
    certificate.chmod(0o600)  # it also stands where the key should
    uri = "amqps://u:p@localhost:1"
    answer = attempt(uri, ca_file=key)
    assert_refused(answer, "cannot load the CA certificates", kind=CONFIG)
    assert answer["subject"] == str(key)
    for cert_file, key_file in ((key, key), (certificate, certificate), (certificate, other_key)):
        answer = attempt(uri, ca_file=authority.ca_file, cert_file=cert_file, key_file=key_file)
        assert_refused(answer, "cannot load the client certificate", kind=CONFIG)
        assert answer["subject"] == str(cert_file)


def test_a_key_that_everybody_may_read_is_refused(authority: Authority) -> None:
    certificate, key = authority.certificate("open", names="DNS:localhost")
    key.chmod(0o644)
    answer = attempt("amqps://u:p@localhost:1", ca_file=authority.ca_file, cert_file=certificate,
                     key_file=key)
    assert_refused(answer, "every user of this machine may read it", kind=CONFIG)


def test_no_plain_text_behind_a_refused_handshake(authority: Authority) -> None:
    """Nothing but TLS is sent, however often it is refused."""
    seen: list[bytes] = []

    def refuse(client: socket.socket) -> None:
        seen.append(client.recv(4096))
        client.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # alert: handshake failure
        seen.append(client.recv(4096))

    with Server(refuse) as server:
        answer = attempt(f"amqps://u:p@127.0.0.1:{server.port}", ca_file=authority.ca_file)
        assert_refused(answer, "over TLS", "handshake failure")
    assert seen[0].startswith(b"\x16\x03")
    assert all(not data or data[0] in (0x15, 0x16) for data in seen)


# ---- a real broker


@pytest.fixture(scope="module")
def tls_broker(authority: Authority) -> Iterator[tuple[RabbitMQ, int]]:
    """A broker that wants a client certificate, and its TLS port."""
    certificate, key = authority.certificate("broker", names="DNS:localhost,IP:127.0.0.1")
    key.chmod(0o644)  # the broker is another user
    port = free_port()
    settings = {
        "listeners.ssl.local": f"127.0.0.1:{port}",
        "ssl_options.cacertfile": str(authority.ca_file),
        "ssl_options.certfile": str(certificate),
        "ssl_options.keyfile": str(key),
        "ssl_options.verify": "verify_peer",
        "ssl_options.fail_if_no_peer_cert": "true",
    }
    with RabbitMQ(settings=settings) as broker:
        yield broker, port


@pytest.fixture(scope="module")
def client_files(authority: Authority) -> dict[str, object]:
    certificate, key = authority.certificate("client", names="DNS:client")
    return {"ca_file": authority.ca_file, "cert_file": certificate, "key_file": key}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_messages_by_tls(tls_broker: tuple[RabbitMQ, int], client_files: dict[str, object],
                         host: str) -> None:
    broker, port = tls_broker
    broker.declare_queue(host)
    broker.publish_many(host,
                        [b"first", b"a" * 1_000_000, *(b"%d" % number for number in range(3000))])
    probe = Probe(uri=f"amqps://guest:guest@{host}:{port}", heartbeat_s=1, **client_files)
    try:
        assert probe.opened == {"ok": 0}
        assert probe(f"subscribe {host} 500") == {"ok": 0}
        first, second = probe.take(2)
        assert first["body"] == "first"
        assert second["body_bytes"] == 1_000_000
        assert probe("idle 3000") == {"ok": 0}
        assert probe("consume 3000")["taken"] == 3000
        probe.close()
    finally:
        probe.kill()
    broker.wait_until_empty(host)


def test_tls_records_in_pieces(tls_broker: tuple[RabbitMQ, int],
                               client_files: dict[str, object]) -> None:
    class Pieces:
        def to_client(self, data: bytes) -> Iterator[bytes]:
            for start in range(0, len(data), 7):
                yield data[start:start + 7]

        to_server = to_client

    broker, port = tls_broker
    broker.declare_queue("pieces")
    broker.publish_many("pieces", [b"a" * 40_000, *(b"%d" % number for number in range(200))])
    with Proxy(port, tap=Pieces) as proxy:
        probe = Probe(uri=f"amqps://guest:guest@localhost:{proxy.port}", heartbeat_s=20,
                      **client_files)
        try:
            assert probe.opened == {"ok": 0}
            assert probe("subscribe pieces 500") == {"ok": 0}
            assert probe("consume 201")["taken"] == 201
            probe.close()
        finally:
            probe.kill()
    broker.wait_until_empty("pieces")


@pytest.mark.parametrize("scheme", ["amqp", "amqps"])
def test_a_full_socket_does_not_hang(tls_broker: tuple[RabbitMQ, int],
                                     client_files: dict[str, object], scheme: str) -> None:
    """The other side reads nothing: rabbitmq-c alone would wait for ever in a send. 25 bytes or
    more, far more often than fits.
    """
    broker, port = tls_broker
    broker.declare_queue("full")
    with Proxy(port if scheme == "amqps" else broker.port) as proxy:
        probe = Probe(uri=f"{scheme}://guest:guest@localhost:{proxy.port}", heartbeat_s=60,
                      rpc_timeout_ms=500, **client_files)
        try:
            assert probe.opened == {"ok": 0}
            assert probe("subscribe full 1") == {"ok": 0}
            proxy.freeze()
            answer = probe("flood 10000000")
            assert answer["error"] == UNAVAILABLE
            assert answer["why"] == "the broker does not read what is sent to it"
            assert probe("ack 1")["error"] == UNAVAILABLE
            probe.close()
        finally:
            probe.kill()


def test_broker_wants_a_certificate(tls_broker: tuple[RabbitMQ, int],
                                    client_files: dict[str, object]) -> None:
    _, port = tls_broker
    answer = attempt(f"amqps://guest:guest@localhost:{port}", ca_file=client_files["ca_file"])
    assert_refused(answer, "cannot log in", "amqp.cert_file")


def test_plain_text_on_a_tls_port(tls_broker: tuple[RabbitMQ, int]) -> None:
    _, port = tls_broker
    assert_refused(attempt(f"amqp://guest:guest@localhost:{port}"), "cannot log in", "amqps://")


def test_tls_on_a_plain_port(tls_broker: tuple[RabbitMQ, int],
                             client_files: dict[str, object]) -> None:
    broker, _ = tls_broker
    assert_refused(attempt(f"amqps://guest:guest@127.0.0.1:{broker.port}", **client_files),
                   "over TLS", "check that the port speaks TLS")


def test_login_by_certificate_that_the_broker_does_not_offer(
        tls_broker: tuple[RabbitMQ, int], client_files: dict[str, object]) -> None:
    _, port = tls_broker
    answer = attempt(f"amqps://guest@localhost:{port}/?auth_mechanism=external", **client_files)
    assert_refused(answer, "does not offer this way to log in", "rabbitmq_auth_mechanism_ssl",
                   kind=CONFIG)


def test_wrong_password_by_tls(tls_broker: tuple[RabbitMQ, int],
                               client_files: dict[str, object]) -> None:
    _, port = tls_broker
    assert_refused(attempt(f"amqps://guest:wrong@localhost:{port}", **client_files),
                   "403 ACCESS_REFUSED", kind=PERMISSION)
