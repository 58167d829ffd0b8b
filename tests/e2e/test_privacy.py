"""The watch over personal values that every test of the suite is under (support/privacy.py) finds
what leaks.
"""

import base64
import json
from collections.abc import Iterator

import pytest
from support import privacy
from support.daemon import run_kopru
from support.process import free_port

_NAME = "Zübeyde Gizlioğlu"
_PHONE = "05321234567"
_BODY = json.dumps({"id": "id-1", "name": _NAME,
                    "contactMedium": [{"characteristic": {"phoneNumber": _PHONE}}]}).encode()


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    privacy.WATCH.forget()
    yield
    privacy.WATCH.forget()


def _leak_in(text: str) -> bool:
    return bool(privacy.WATCH.leaks(text))


_SPELLINGS = {
    "as is": lambda value: value,
    "JSON-escaped": lambda value: json.dumps(value),
    "upper case": lambda value: value.upper(),
    "lower case": lambda value: value.lower(),
    "upper case, JSON-escaped": lambda value: json.dumps(value.upper()),
    "hexadecimal": lambda value: "\\x" + value.encode().hex(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64, one byte before": lambda value: base64.b64encode(b'"' + value.encode()
                                                              + b'"').decode(),
    "base64, two bytes before": lambda value: base64.b64encode(b'x"' + value.encode()
                                                               + b'"xyz').decode(),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "cut": lambda value: value[:12] + "...",
}


@pytest.mark.no_kopru
@pytest.mark.parametrize("spelling", _SPELLINGS)
@pytest.mark.parametrize("value", [_NAME, _PHONE])
def test_a_seeded_leak_is_found(spelling: str, value: str) -> None:
    leak = f'{{"level":"info","msg":"cannot write {_SPELLINGS[spelling](value)}","queue":"q"}}'
    assert not _leak_in(leak)
    privacy.WATCH.published(_BODY, {})
    assert _leak_in(leak)
    with pytest.raises(AssertionError, match="a log says what payloads said"):
        privacy.require_private(leak, "a log")


@pytest.mark.no_kopru
@pytest.mark.parametrize("body", [
    _BODY, _BODY[:-30], _BODY.replace(b"id-1", b"\xff"), b"[" + _BODY,
    json.dumps(json.loads(_BODY), ensure_ascii=False).encode(),
    _BODY.replace(b'": "', b'" : "'), b'{"x":{"name":"' + _NAME.encode(),
], ids=["whole", "cut", "bad bytes", "no JSON", "not escaped", "spaces", "not closed"])
def test_values_of_broken_payloads_are_known(body: bytes) -> None:
    privacy.WATCH.published(body, {})
    assert _leak_in(f"refused: {_NAME}")


@pytest.mark.no_kopru
def test_properties_are_known() -> None:
    privacy.WATCH.published(b"", {"headers": {"who": _NAME}, "message_id": "gizli-kimlik",
                                  "correlation_id": "gizli-ilinti"})
    assert all(_leak_in(text) for text in (_NAME, "gizli-kimlik", "gizli-ilinti"))


@pytest.mark.no_kopru
def test_ids_and_short_values_are_no_secrets() -> None:
    privacy.WATCH.published(b'{"id":"134719-xyz","name":"short"}', {})
    privacy.WATCH.published(b'{"id":"1","name":"134719-xyz"}', {})
    assert not _leak_in("134719-xyz short")


@pytest.mark.no_kopru
def test_the_numbers_of_a_holder_are_no_leak() -> None:
    privacy.WATCH.published(b'{"id":"1","documentNumber":"265318"}', {})
    holder = "db1 265318"
    assert not _leak_in(f'{{"event":"lease_acquired","taken_over_from":"{holder}"}}')
    assert _leak_in(f'{{"taken_over_from":"{holder}","document":"265318"}}')


@pytest.mark.no_kopru
def test_the_digits_of_an_epoch_are_no_leak() -> None:
    privacy.WATCH.published(b'{"id":"1","documentNumber":"301234"}', {})
    epoch = 1795971230123456
    assert not _leak_in(f'{{"event":"consuming","epoch":{epoch}}}')
    assert not _leak_in(f'kopru_lease_epoch{{queue="customer"}} {epoch}')
    assert _leak_in(f'{{"epoch":{epoch},"bytes":{epoch}}}')


def test_a_leaking_daemon_fails_its_test(rabbitmq_server, queues, kopru) -> None:
    """An id is logged: a secret in its place is a leak that a test must not survive."""
    daemon = kopru()
    rabbitmq_server.publish(queues.customer, json.dumps({"id": _NAME, "contactMedium": 1},
                                                        ensure_ascii=False).encode())
    daemon.wait_for_event("dead_letter")
    privacy.WATCH.keep_secret(_NAME)
    with pytest.raises(AssertionError, match="run 1 of the daemon says what payloads said"):
        daemon.release()
    privacy.WATCH.forget()


def test_a_leaking_endpoint_fails_its_test(queues, kopru) -> None:
    """A queue's name is a label: a secret in its place is a leak."""
    daemon = kopru(http={"listen": f"127.0.0.1:{free_port()}"})
    assert daemon.terminate() == 0
    assert any(queues.customer in answer for answer in daemon._answers)
    privacy.WATCH.keep_secret(queues.customer[:12])
    with pytest.raises(AssertionError, match="says what payloads said"):
        privacy.require_private("".join(daemon._answers), "the daemon's endpoint")
    privacy.WATCH.forget()


def test_a_leaking_command_fails_its_test() -> None:
    """Its error repeats the name of the file."""
    privacy.WATCH.keep_secret("/gizli-dosya")
    with pytest.raises(AssertionError, match="says what payloads said"):
        run_kopru("check", "-c", "/gizli-dosya.cfg")


def test_map_says_values_on_its_output_alone(tmp_path) -> None:
    done = run_kopru("map", "-e", "customer", "-c", str(tmp_path / "none.cfg"), stdin=_BODY)
    assert done.returncode == 78
    assert _leak_in(_NAME)


def test_what_the_server_does_not_support_may_be_a_value(rabbitmq_server, db, queues, kopru):
    """`unit "timezone" not supported for type ...` is SQLSTATE 0A000, and quotes the name."""
    db.query("ALTER TABLE kopru.customers ADD CONSTRAINT site_rule "
             "CHECK (name IS NULL OR date_trunc(name, created_at) IS NOT NULL)")
    daemon = kopru()
    rabbitmq_server.publish_many(queues.customer, [
        json.dumps({"id": "good"}).encode(),
        json.dumps({"id": "bad", "name": "timezone"}).encode()])
    (line, *_) = daemon.wait_for_event("quarantined")
    assert (line["entity_id"], line["sqlstate"]) == ("bad", "0A000")
    assert not [each for each in daemon.log_lines() if "timezone" in json.dumps(each)]
