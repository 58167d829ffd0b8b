"""Every golden case of one message through `kopru map`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golden.cases import SETTINGS, Case, all_cases, in_key_order, parse
from support import libconfig
from support.daemon import default_settings, merged, run_kopru

ACCEPTED = 0
BAD_INPUT = 65

_SINGLES = [case for case in all_cases() if case.is_single]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A configuration whose servers do not exist: map asks none."""
    settings = default_settings("amqp://127.0.0.1:1/none", "host=127.0.0.1 port=1 dbname=none",
                                {"golden-customer": "customer",
                                 "golden-subscription": "subscription"})
    path = tmp_path_factory.mktemp("golden") / "kopru.cfg"
    path.write_text(libconfig.to_text(merged(settings, SETTINGS)), encoding="utf-8")
    yield path


def _output_of(case: Case, stdout: bytes) -> dict[str, Any]:
    output = parse(stdout.decode())
    for name, rows in output.get("rows", {}).items():
        if name in case.entity.tables:
            output["rows"][name] = in_key_order(case.entity.tables[name], rows)
    return output


@pytest.mark.parametrize("case", _SINGLES, ids=lambda case: case.name)
def test_map_prints_what_the_case_expects(case: Case, config: Path, tmp_path: Path) -> None:
    (message,) = case.messages()
    file = tmp_path / "body"
    file.write_bytes(message.body)
    done = run_kopru("map", "--entity", case.entity_name, "--config", str(config), str(file))
    expected = case.expected_output()
    assert done.returncode == (BAD_INPUT if "dead_letter" in expected
                               else ACCEPTED), done.stderr.decode()
    output = _output_of(case, done.stdout)
    if "dead_letter" not in expected:
        assert output == expected
        return
    assert set(output) == {"entity", "id", "dead_letter"}
    assert output["entity"] == case.entity_name
    assert {name: output["dead_letter"][name]
            for name in expected["dead_letter"]} == expected["dead_letter"]
    if "id" in expected:
        assert output["id"] == expected["id"]


@pytest.mark.parametrize("name", ["customer/sample", "subscription/sample"])
def test_map_reads_standard_input(name: str, config: Path) -> None:
    (case,) = (case for case in _SINGLES if case.name == name)
    (message,) = case.messages()
    done = run_kopru("map", "--entity", case.entity_name, "--config", str(config),
                     stdin=message.body)
    assert done.returncode == ACCEPTED, done.stderr.decode()
    assert _output_of(case, done.stdout) == case.expected_output()
