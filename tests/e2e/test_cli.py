"""The command line: help, usage errors, exit codes, and the commands that need no server."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from support import libconfig
from support.daemon import binary, default_settings, merged, run_kopru
from support.database import REPOSITORY, Database

COMMANDS = ["run", "check", "status", "map", "sql"]

USAGE, BAD_INPUT, NO_INPUT, NO_PERMISSION, CONFIGURATION = 64, 65, 66, 77, 78

SAMPLE = REPOSITORY / "tests" / "golden" / "subscription" / "sample.json"


def text(data: bytes) -> str:
    return data.decode("utf-8")


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[..., str]:
    """Writes a configuration whose servers do not exist, with changes, and returns its path."""

    def write(**changes: object) -> str:
        settings = default_settings("amqp://127.0.0.1:1/none", "host=127.0.0.1 port=1 dbname=none",
                                    {"customers": "customer", "subscriptions": "subscription"})
        path = tmp_path / "kopru.cfg"
        path.touch(mode=0o600)
        path.write_text(libconfig.to_text(merged(settings, changes)), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def config(write_config: Callable[..., str]) -> str:
    return write_config()


# help and version

def test_help_lists_every_command() -> None:
    for arguments in (["--help"], ["-h"], ["help"]):
        done = run_kopru(*arguments)
        assert done.returncode == 0
        assert done.stderr == b""
        assert re.findall(r"^  ([a-z-]+)  ", text(done.stdout), re.MULTILINE) == [*COMMANDS, "help"]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_one_help(command: str) -> None:
    after, before, short = run_kopru(command,
                                     "--help"), run_kopru("help", command), run_kopru(command, "-h")
    assert (after.returncode, before.returncode, short.returncode) == (0, 0, 0)
    assert after.stdout == before.stdout == short.stdout
    assert text(after.stdout).startswith(f"usage: kopru {command} [OPTION]...")
    assert "-c, --config FILE" in text(after.stdout)
    assert "(default /etc/kopru/kopru.cfg)" in text(after.stdout)


def test_version_is_that_of_the_build() -> None:
    project = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    version = re.search(r"project\(kopru VERSION (\S+)", project)
    assert version is not None
    for option in ("--version", "-V"):
        done = run_kopru(option)
        assert (done.returncode, done.stderr) == (0, b"")
        assert re.fullmatch(rf"kopru {re.escape(version[1])}( \(revision [\w.+~/-]+\))?\n",
                            text(done.stdout))


def test_help_fits_a_terminal() -> None:
    for arguments in (["help"], *(["help", command] for command in COMMANDS)):
        longest = max(text(run_kopru(*arguments).stdout).splitlines(), key=len)
        assert len(longest) <= 80, longest


@pytest.mark.parametrize("command", COMMANDS)
def test_each_help_begins_with_an_example(command: str) -> None:
    usage, empty, example, *_ = text(run_kopru("help", command).stdout).splitlines()
    assert (usage.split()[:3], empty) == (["usage:", "kopru", command], "")
    words = shlex.split(example.partition(">")[0])
    assert words[:3] == ["example:", "kopru", command] and len(words) > 3
    known = re.findall(r"^ .*(--[a-z]+)", text(run_kopru("help", command).stdout), re.MULTILINE)
    assert {word for word in words if word.startswith("-")} <= set(known)


# usage errors

@pytest.mark.parametrize(("arguments", "message"), [
    ([], "kopru: no command given"),
    (["chekc"], 'kopru: unknown command "chekc"\n  hint: did you mean "check"?'),
    (["help", "nothing"], 'kopru: unknown command "nothing"'),
    (["--config", "x"], 'kopru: unknown option "--config"\n  hint: options follow the command'),
    (["map"], 'kopru: missing option "--entity NAME"'),
    (["map", "--entity"], 'kopru: this option needs a value "entity"'),
    (["map", "--entity", "customer", "a", "b"], 'kopru: unexpected argument "b"'),
    (["check", "--bogus"], 'kopru: unknown option "--bogus"'),
    (["check", "-x"], 'kopru: unknown option "-x"'),
    (["check", "extra"], 'kopru: unexpected argument "extra"'),
    (["check", "--offline=yes"], 'kopru: this option takes no value "--offline=yes"'),
    (["check", "--output", "xml"], 'kopru: unknown value of option "output": it is "xml"\n  hint: '
                                   '--output is one of: table, json'),
    (["run", "now"], 'kopru: unexpected argument "now"'),
    (["sql", "--config", ""], 'kopru: empty value of option "config"'),
])
def test_usage_errors_say_what_to_do(arguments: list[str], message: str) -> None:
    done = run_kopru(*arguments)
    assert done.returncode == USAGE
    assert done.stdout == b""
    assert text(done.stderr).startswith(message)
    assert "\n  hint: " in text(done.stderr)


@pytest.mark.parametrize("command", ["map", "sql"])
def test_an_unknown_entity_is_answered_with_the_known_ones(command: str, config: str) -> None:
    done = run_kopru(command, "--entity", "invoice", "--config", config)
    assert done.returncode == USAGE
    assert 'unknown entity "invoice"' in text(done.stderr)
    assert "customer, subscription" in text(done.stderr)


@pytest.mark.parametrize("arguments", [["run"], ["map", "--entity", "customer"], ["sql"]])
def test_a_missing_configuration_is_78(arguments: list[str], tmp_path: Path) -> None:
    missing = str(tmp_path / "none.cfg")
    done = run_kopru(*arguments, "--config", missing)
    assert done.returncode == CONFIGURATION
    assert done.stdout == b""
    assert f'"{missing}": No such file or directory' in text(done.stderr)


def test_every_problem_of_the_configuration_is_named_at_once(write_config: Callable[...,
                                                                                    str]) -> None:
    path = write_config(erp={"time_zone": "Europe/Istanbull"}, limits={"max_depht": 3}, nonsense=1)
    done = run_kopru("run", "--config", path)
    assert done.returncode == CONFIGURATION
    for culprit in ("erp.time_zone", "limits.max_depht", "nonsense"):
        assert re.search(rf'^kopru: .*{re.escape(culprit)}.*"{re.escape(path)}:\d+"',
                         text(done.stderr), re.MULTILINE), culprit


def test_a_queue_needs_an_entity_file(write_config: Callable[..., str]) -> None:
    path = write_config(entity_files=[str(REPOSITORY / "etc" / "entities" / "customer.cfg")])
    done = run_kopru("run", "--config", path)
    assert done.returncode == CONFIGURATION
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    number = next(number for number, line in enumerate(lines, 1) if line.startswith("queues"))
    assert (f'"{path}:{number}": no entity file describes "subscription" of queue "subscriptions"'
            in text(done.stderr))


def test_two_files_of_one_entity_are_refused(write_config: Callable[..., str],
                                             tmp_path: Path) -> None:
    original = REPOSITORY / "etc" / "entities" / "customer.cfg"
    copy = tmp_path / "copy.cfg"
    copy.write_bytes(original.read_bytes())
    done = run_kopru("sql", "--config", write_config(entity_files=[str(original), str(copy)]))
    assert done.returncode == CONFIGURATION
    assert (f'two entity files describe the same entity "{copy}": '
            f'{original} describes "customer" as well' in text(done.stderr))


def test_output_that_cannot_be_written_is_an_error(config: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(binary()), "sql", "--config", config], stdout=full,
                              stderr=subprocess.PIPE, check=False)
    assert done.returncode == 70
    assert "cannot write the output" in text(done.stderr)


# map

def test_map_shows_the_printed_subscription(config: str) -> None:
    printed = "\n".join(json.loads(SAMPLE.read_text(encoding="utf-8"))["body"])
    done = run_kopru("map", "--entity", "subscription", "--config", config, stdin=printed.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    output = json.loads(done.stdout)
    rows = output["rows"]
    assert (output["entity"], output["id"], output["misfits"], output["broken"]) == ("subscription",
                                                                                     "123462", 0, 0)
    assert [len(rows[table]) for table in ("subscriptions", "subscription_characteristics",
                                           "engaged_parties")] == [1, 11, 1]
    values = {row["name"]: row for row in rows["subscription_characteristics"]}
    assert values["MONTAGE_DATE"]["value_date"] == "2021-08-16"
    assert values["TOTAL_PAST_DUE_INSTALMENT"]["value_numeric"] == "0.0"
    assert rows["engaged_parties"][0]["customer_id"] == "134719"
    assert rows["subscriptions"][0]["name"] == "RAMAZAN ÖZEKİNCİ"
    assert rows["subscriptions"][0]["completion_start_date"] == "2021-08-13"
    assert rows["subscriptions"][0]["completion_start"] == "2021-08-12T21:00:00Z"


def test_map_reads_a_file_a_dash_and_the_standard_input(config: str, tmp_path: Path) -> None:
    body = b'{"id":"7","status":null}'
    file = tmp_path / "body.json"
    file.write_bytes(body)
    outputs = [run_kopru("map", "-c", config, "--entity", "customer", *arguments, stdin=stdin)
               for arguments, stdin in (([str(file)], b""), (["-"], body), ([], body))]
    wanted = (b'{"entity":"customer","id":"7",'
              b'"rows":{"customers":[{"customer_id":"7","status":null,"extra":{}}]},'
              b'"misfits":0,"broken":0}\n')
    assert [(done.returncode, done.stdout) for done in outputs] == [(0, wanted)] * 3


def test_map_needs_only_entity_files_and_erp(tmp_path: Path) -> None:
    files = [str(REPOSITORY / "etc" / "entities" / "customer.cfg")]
    path = tmp_path / "small.cfg"
    path.write_text(libconfig.to_text({"erp": {"time_zone": "Europe/Istanbul"},
                                       "entity_files": files}), encoding="utf-8")
    done = run_kopru("map", "-c", str(path), "--entity", "customer", stdin=b'{"id":1}')
    assert (done.returncode, done.stderr) == (0, b"")
    assert run_kopru("sql", "-c", str(path)).returncode == 0


def test_map_says_why_a_payload_would_be_a_dead_letter(config: str) -> None:
    done = run_kopru("map", "-c", config, "--entity", "subscription", stdin=b'{"id":1.5}')
    assert (done.returncode, done.stderr) == (BAD_INPUT, b"")
    output = json.loads(done.stdout)
    assert output["dead_letter"].pop("detail")
    assert output == {"entity": "subscription", "id": None,
                      "dead_letter": {"reason": "invalid_id", "path": "$.id"}}


def test_map_reads_no_more_than_the_limit(write_config: Callable[..., str]) -> None:
    path = write_config(limits={"max_message_bytes": 1024})
    exact = b'{"id":"1","name":"' + b"x" * (1024 - 20) + b'"}'
    assert len(exact) == 1024
    assert run_kopru("map", "-c", path, "--entity", "customer", stdin=exact).returncode == 0
    done = run_kopru("map", "-c", path, "--entity", "customer", stdin=exact + b" ")
    assert done.returncode == BAD_INPUT
    assert json.loads(done.stdout)["dead_letter"]["reason"] == "too_large"
    endless = run_kopru("map", "-c", path, "--entity", "customer", "/dev/zero")
    assert endless.returncode == BAD_INPUT
    assert json.loads(endless.stdout)["dead_letter"] == {
        "reason": "too_large", "path": None,
        "detail": "more than the 1024 bytes that are taken (limits.max_message_bytes)"}


def test_map_of_a_missing_file_is_66(config: str, tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        done = run_kopru("map", "-c", config, "--entity", "customer", str(path))
        assert (done.returncode, done.stdout) == (NO_INPUT, b"")
        assert f'"{path}"' in text(done.stderr)


def test_map_of_a_file_that_may_not_be_read_is_77(config: str, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.touch(mode=0)
    # Even root may not, without these two capabilities.
    powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search",
                 "--"] if os.geteuid() == 0 else []
    done = subprocess.run([*powerless, str(binary()), "map", "-c", config, "--entity", "customer",
                           str(file)],
                          capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (NO_PERMISSION, b"")
    assert f'"{file}": Permission denied' in text(done.stderr)


# sql

def test_sql_shows_only_the_entity_asked_for(config: str) -> None:
    output = json.loads(run_kopru("sql", "-c", config, "--entity", "customer", "--output",
                                  "json").stdout)
    assert {statement["entity"] for statement in output} == {"customer"}
    assert {statement["table"] for statement in output} == {"customers", "contact_mediums"}


def test_every_statement_can_be_prepared_on_a_migrated_database(db: Database, config: str) -> None:
    statements = json.loads(run_kopru("sql", "-c", config, "--output", "json").stdout)
    assert {statement["entity"] for statement in statements} == {None, "customer", "subscription"}
    prepared = 0
    with psycopg.connect(db.daemon_dsn, autocommit=True) as connection:
        for statement in statements:
            assert statement["purpose"]
            if not statement["parameters"]:
                continue
            types = ", ".join(parameter["type"] for parameter in statement["parameters"])
            prepare = f"PREPARE {statement['name']} ({types}) AS {statement['sql']}"
            connection.execute(prepare)  # type: ignore[call-overload]
            prepared += 1
        names = {name for (name,) in connection.execute("SELECT name FROM pg_prepared_statements")}
    assert prepared >= 20
    assert len(names) == prepared


def test_sql_is_a_script_that_psql_runs_and_that_changes_nothing(db: Database, config: str,
                                                                 tmp_path: Path) -> None:
    script = tmp_path / "statements.sql"
    printed = text(run_kopru("sql", "-c", config).stdout)
    # The calls to begin with stand in comments; a DBA takes the dashes away.
    runnable, calls = re.subn(r"^-- (EXPLAIN EXECUTE)", r"\1", printed, flags=re.MULTILINE)
    assert calls >= 20
    script.write_text(runnable, encoding="utf-8")
    done = subprocess.run(["psql", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname",
                           db.daemon_dsn, "--file", str(script)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("QUERY PLAN") == calls
    assert db.value("SELECT count(*) FROM kopru.queues") == 0
