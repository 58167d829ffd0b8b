"""What the documents name exists: files, commands, options, settings, log events, reasons, SQL."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from support.daemon import run_kopru
from support.database import REPOSITORY, Database

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md",
             "docs/operations.md", "docs/performance.md", "docs/platforms.md",
             "docs/reliability.md", "migrations/README.md",
             "tests/golden/README.md"]
SOURCES = sorted((REPOSITORY / "src").rglob("*.c"))

# Files that the documents tell a reader to make.
TO_BE_MADE = {"tests/golden/customer/risk-group.json"}

each_document = pytest.mark.parametrize("name", DOCUMENTS)
no_kopru = pytest.mark.no_kopru


@cache
def text_of(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def blocks_of(name: str, language: str) -> list[str]:
    """The fenced blocks of that language, without their indentation."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", text_of(name), re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", body, flags=re.MULTILINE) for indent, tag, body in found
            if tag == language]


def prose_of(name: str) -> str:
    """The document without its fenced blocks."""
    return re.sub(r"^( *)```.*?^\1```$", "", text_of(name), flags=re.MULTILINE | re.DOTALL)


def spans_of(name: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose_of(name))


def table_of(name: str, header: str) -> list[list[str]]:
    """The cells of the table with that header line, row by row, without the backticks."""
    _, found, rest = text_of(name).partition(header + "\n")
    assert found, f"{name} has no table {header!r}"
    lines = rest.splitlines()
    rows = lines[1:next(number for number, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip().replace("`", "") for cell in row.strip("|").split("|")] for row in rows]


def slug_of(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# files

@no_kopru
@each_document
def test_links_lead_to_files(name: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose_of(name)):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (REPOSITORY / name).parent / path if path else REPOSITORY / name
        assert target.exists(), f"{name} links to {link}"
        if anchor:
            assert anchor in map(slug_of,
                                 re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"),
                                            re.MULTILINE)), link


def named_paths(text: str) -> Iterator[str]:
    """Everything that looks like a path from the repository's root, or like a file below src."""
    folders = "|".join(re.escape(path.name) for path in REPOSITORY.iterdir()
                       if path.is_dir() and path.name != ".git"
                       and not path.name.startswith("build"))
    layers = "|".join(path.name for path in (REPOSITORY / "src").iterdir() if path.is_dir())
    for path in re.findall(rf"(?<![\w/.-])(?:{folders})/[\w./-]*\w", text):
        yield path
    for path in re.findall(rf"(?<![\w/.-])(?:{layers})/\w+\.[ch]\b", text):
        yield f"src/{path}"
    bridge = REPOSITORY / "src" / "bridge"
    rooms = "|".join(path.name for path in bridge.iterdir() if path.is_dir())
    for path in re.findall(rf"(?<![\w/.-])(?:{rooms})/\w+\.[ch]\b", text):
        yield f"src/bridge/{path}"


@no_kopru
@each_document
def test_named_files_exist(name: str) -> None:
    named = set(named_paths(text_of(name))) - TO_BE_MADE
    if name == "migrations/README.md":
        named = {path for path in named if "07-" not in path}
    assert [path for path in sorted(named) if not (REPOSITORY / path).exists()] == []


# words

# What was called so has another name now, in the program as well: unacknowledged, redelivered
# messages, quarantined, in parallel, stalled.
RETIRED = re.compile(r"\b(?:in hand|leading run|(?:un)?parked|set aside|side by side"
                     r"|beside each other|starved)\b")


@no_kopru
@each_document
def test_retired_words_are_gone(name: str) -> None:
    assert RETIRED.findall(re.sub(r"\s+", " ", text_of(name))) == []


# commands and options

def invocations(name: str, program: str) -> Iterator[tuple[str, list[str]]]:
    """Every (command, options) of the program in the document's code."""
    lines = [line for block in blocks_of(name, "sh") for line in block.splitlines()]
    for code in [*spans_of(name), *lines]:
        match = re.match(rf"{re.escape(program)}\s+([a-z][a-z-]*)(.*)", code)
        if match is not None:
            yield match[1], re.findall(r"(?<!\S)--?[a-z][a-z-]*", match[2].partition("#")[0])


@cache
def help_of(command: str) -> str:
    done = run_kopru(command, "--help")
    assert done.returncode == 0, f"there is no command {command!r}"
    return done.stdout.decode()


@each_document
def test_commands_and_options_are_in_the_help(name: str) -> None:
    for command, options in invocations(name, "kopru"):
        for option in options:
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])",
                             help_of(command)), f"kopru {command} {option}"
        help_of(command)


def test_the_readme_shows_every_command() -> None:
    commands = re.findall(r"^  ([a-z-]+)  ", run_kopru("--help").stdout.decode(), re.MULTILINE)
    assert set(commands) - {"help"} == {command for command, _ in invocations("README.md", "kopru")}


def test_what_is_said_to_be_missing_is_missing() -> None:
    section = text_of("README.md").partition("## Not there yet")[2].partition("\n## ")[0]
    line = next(line for line in section.splitlines() if line.startswith("- The commands"))
    for command in re.findall(r"`([a-z-]+)`", line):
        assert run_kopru(command, "--help").returncode == 64, f"there is a command {command!r}"


@no_kopru
@each_document
def test_dev_commands_exist(name: str) -> None:
    def output_of(*command: str) -> str:
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True,
                              check=True).stdout

    known = output_of("./dev", "help")
    demo = output_of("/usr/bin/python3", "tools/demo.py", "--help")
    for command, options in invocations(name, "./dev"):
        assert re.search(rf"^  {command}( |$)", known, re.MULTILINE), f"./dev {command}"
        for option in options:
            assert option in (demo if command == "demo" else known), f"./dev {command} {option}"


# configuration

def options_of_the_table() -> dict[str, dict[str, str | None]]:
    """Default, unit and environment variable of every setting, as src/config/option.c has them."""
    source = text_of("src/config/option.c")
    table = source.partition("const struct config_option OPTIONS[]")[2].partition("\n};")[0]
    options = {}
    for row in table.split("{ .group = ")[1:]:
        match = re.match(r'"(\w*)",\s*\.key = "(\w+)"', row)
        group, key = match.groups()  # type: ignore[union-attr]

        def value(pattern: str, row: str = row) -> str | None:
            match = re.search(pattern, row)
            return match[1].replace('\\"', '"') if match is not None else None

        options[f"{group}.{key}".lstrip(".")] = {
            "default": "must be set" if ".required = true" in row
            else value(r'\.initial = "((?:\\.|[^"\\])*)"') or "not set",
            "unit": value(r'RANGE\([^)]*"(\w+)"\)') or "",
            "environment": value(r'\.environment = "(\w+)"'),
        }
    return options


@no_kopru
def test_the_configuration_table_is_that_of_the_program() -> None:
    known = options_of_the_table()
    assert len(known) > 20
    rows = table_of("README.md", "| setting | default | unit | what |")
    assert {row[0]: (row[1], row[2]) for row in rows} == {key: (of["default"], of["unit"])
                                                          for key, of in known.items()}
    for key, *_, what in rows:
        assert re.findall(r"KOPRU_\w+",
                          what) == [of for of in [known[key]["environment"]] if of], key


@no_kopru
@each_document
def test_named_settings_are_known(name: str) -> None:
    known = options_of_the_table()
    groups = {key.partition(".")[0] for key in known if "." in key}
    for span in spans_of(name):
        match = re.fullmatch(r"(\w+)\.(\w+)( = .*)?", span)
        if match is not None and match[1] in groups:
            assert f"{match[1]}.{match[2]}" in known, f"{name} names the setting {span}"


def require_accepted(folder: Path) -> None:
    done = run_kopru("check", "--offline", "-c", str(folder / "kopru.cfg"))
    assert done.returncode == 0, done.stdout.decode()


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """A folder with the README's configuration and the entity files."""
    (block,) = blocks_of("README.md", "libconfig")
    shutil.copytree(REPOSITORY / "etc" / "entities", tmp_path / "entities")
    (tmp_path / "amqp-password").touch(mode=0o600)
    (tmp_path / "amqp-password").write_text("secret\n", encoding="utf-8")
    (tmp_path / "kopru.cfg").write_text(block, encoding="utf-8")
    return tmp_path


def test_the_shown_configuration_is_accepted(configuration: Path) -> None:
    require_accepted(configuration)


def test_the_shown_settings_of_entity_files_are_accepted(configuration: Path) -> None:
    customer = configuration / "entities" / "customer.cfg"
    shown = [block for name in DOCUMENTS for block in blocks_of(name, "entity")]
    assert len(shown) == 4
    for block in shown:
        before = customer.read_text(encoding="utf-8")
        if block.startswith("entity"):
            (configuration / "entities" / "device.cfg").write_text(block, encoding="utf-8")
            path = configuration / "kopru.cfg"
            path.write_text(path.read_text().replace('"entities/customer.cfg"',
                                                     '"entities/customer.cfg", '
                                                     '"entities/device.cfg"'))
        elif block.startswith("{ column"):
            customer.write_text(before.replace("\ncolumns = (\n", "\ncolumns = (\n" + block, 1),
                                encoding="utf-8")
        else:
            customer.write_text(before + block, encoding="utf-8")
        require_accepted(configuration)
        assert customer.read_text(encoding="utf-8") != before or block.startswith("entity")


# tables of the documents that repeat a table of the source

def logged_events() -> set[str]:
    """Those that stand in a call; a wrapper of such a call belongs into this list."""
    events = set()
    for path in SOURCES:
        for call in re.findall(r"\b(?:log_event|log_error|log_breaker|leave_at_once)\((.*?)\);",
                               path.read_text(encoding="utf-8"), re.DOTALL):
            # The event stands before the first field; a message has spaces, a field's name stands
            # in LOG_TEXT(...).
            head = re.split(r"LOG_(?:TEXT|SLICE|NUMBER)\(|\(const struct log_field", call)[0]
            events |= set(re.findall(r'"([a-z]+(?:_[a-z]+)*)"', head))
    return events


@no_kopru
def test_the_log_events_are_those_of_the_program() -> None:
    documented = {row[0] for row in table_of("docs/operations.md",
                                             "| event | level | says | to do |")}
    literals = {literal for path in SOURCES
                for literal in re.findall(r'"(\w+)"', path.read_text(encoding="utf-8"))}
    assert len(logged_events()) > 15
    assert logged_events() - documented == set()
    assert documented - literals == set()


@no_kopru
@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "docs/operations.md",
                                  "docs/reliability.md"])
def test_named_metrics_are_those_of_the_program(name: str) -> None:
    metrics = set(re.findall(r'"(kopru_\w+)[{"]', text_of("src/cmd/metrics.c")))
    roles = set(re.findall(r"'(kopru_\w+)'", text_of("sql/roles.sql")))
    assert len(metrics) > 30 and len(roles) == 4
    # A name in a function's call, such as a test's, belongs to no metric.
    named = {word for span in spans_of(name) for word in re.findall(r"(?<![\w:])kopru_\w+", span)}
    assert named - metrics - roles == set()


@no_kopru
def test_the_reasons_are_those_of_the_program() -> None:
    reasons = re.findall(r'= "(\w+)"', text_of("src/model/refusal.c"))
    assert [row[0] for row in table_of("docs/operations.md",
                                       "| reason | the message | whose |")] == reasons


@no_kopru
def test_the_sqlstates_are_those_of_the_program() -> None:
    table = text_of("src/pg/sqlstate.c").partition("TABLE[] = {")[2].partition("\n};")[0]
    rows = re.findall(r'\{ "(\w+)", SQLSTATE_(\w+),\s+"([^"]+)" \}', table)
    assert len(rows) == table.count('{ "')
    assert table_of("docs/architecture.md", "| SQLSTATE | class | why |") == [
        [state, kind.lower(), why] for state, kind, why in rows]


_SIGNS = {
    "OWN_CONSTRAINT": "names a constraint of one of the entity's tables",
    "FILLED_COLUMN": "names a column that the entity file fills",
    "OWN_INDEX": "names an index of one of the entity's tables, and comes from kopru's own "
                 "statement",
    "PARAMETER": "comes from a parameter that kopru sent",
    "TABLE_ALONE": "names a table and no constraint",
    "FOREIGN_TABLE": "names a table that is none of the entity's",
    "ANY": "says anything else",
}
_VERDICTS = {
    "FINAL": "dead letter",
    "NEIGHBOURS": "dead letter, once others are committed",
    "PROOF": "quarantined; dead letter only by quarantine.attempts and quarantine.minutes",
    "PAUSE": "quarantined, never a dead letter",
}


@no_kopru
def test_the_verdicts_are_those_of_the_program() -> None:
    table = text_of("src/pg/verdict.c").partition("TABLE[] = {")[2].partition("\n};")[0]
    rows = re.findall(r'\{ "(\w+)", SIGN_(\w+), VERDICT_(\w+),\s+"([^"]+)" \}', table)
    assert len(rows) == table.count('{ "')
    assert table_of("docs/reliability.md", "| SQLSTATE | the server's answer | then | why |") == [
        [state, _SIGNS[sign], _VERDICTS[verdict], why] for state, sign, verdict, why in rows]


@no_kopru
def test_the_waits_are_those_of_the_program() -> None:
    timing = text_of("src/bridge/timing.h")
    values = {name: f"{base} to {cap}" for name, base, cap in re.findall(
        r"(\w+) = \{ \.base_ms = (\d+), \.cap_ms = (\d+) \}", timing)}
    for name, product in re.findall(r"(\w+_MS) =\s+(\d+(?: \* \d+)?)", timing):
        factors = [int(factor) for factor in product.split(" * ")]
        values[name] = str(factors[0] * factors[-1] if len(factors) > 1 else factors[0])
    rows = table_of("docs/architecture.md", "| name | ms | |")
    assert {name: value for name, value, _ in rows} == values


@no_kopru
@pytest.mark.parametrize("source, state, event, header", [
    ("src/bridge/lease/queue_lease.c", "LEASE_PHASE", "LEASE_ON",
     "| phase | event | next phase | when |"),
    ("src/bridge/consume/subscription.c", "SUBSCRIPTION", "SUBSCRIPTION_ON",
     "| state | event | next state | when |")])
def test_the_state_tables_are_those_of_the_program(source: str, state: str, event: str,
                                                   header: str) -> None:
    arrows = text_of(source).partition("ARROWS[] = {")[2].partition("\n};")[0]
    known = re.findall(rf"\{{ {state}_(\w+), {event}_(\w+), {state}_(\w+) \}}", arrows)
    assert len(known) == arrows.count("{ ") > 5
    rows = table_of("docs/architecture.md", header)
    assert [tuple(row[:3]) for row in rows] == known


@no_kopru
def test_the_doors_are_those_of_the_layer_check() -> None:
    doors = {library: [door.strip('"') for door in places.split(", ")]
             for library, places in re.findall(
        r'"([\w-]+)", \[([^]]+)\]\)', text_of("tools/check-layers"))}
    rows = table_of("docs/architecture.md", "| library | only in |")
    assert {library: re.sub(r" \(\w+\)", "", places).split(", ")
            for library, places in rows} == doors


# what was shown to be survived

FAULTS = [f"F{number}" for number in range(1, 47)]


def fault_rows() -> list[list[str]]:
    return table_of("docs/reliability.md", "| # | fault | what kopru does | shown by | result |")


def collected_tests(files: set[str]) -> set[str]:
    """Every test of these files, whatever its marks, with its parameters and without."""
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-m", "",
                           "--collect-only", *sorted(files)],
                          cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    names = {line for line in done.stdout.splitlines() if "::" in line}
    return names | {name.partition("[")[0] for name in names}


@no_kopru
def test_each_fault_has_one_row_and_no_cell_is_empty() -> None:
    assert [row[0] for row in fault_rows()] == FAULTS
    for row in fault_rows():
        assert len(row) == 5 and all(row), row


@no_kopru
def test_the_tests_named_for_faults_exist() -> None:
    text = text_of("docs/reliability.md")
    named = set(re.findall(r"tests/\w+/\w+\.py::\w+(?:\[[^]`]*\])?", text))
    assert len(named) == len(set(re.findall(r"`(tests/[^`]*::[^`]*)`", text))) > 20
    assert named - collected_tests({name.partition("::")[0] for name in named}) == set()


@no_kopru
def test_each_fault_names_a_test_or_says_why_not() -> None:
    for fault, _, does, shown_by, result in fault_rows():
        assert re.search(r"tests/[\w/]+\.(?:py::\w+|c)",
                         shown_by) or result.startswith("not made here: "), fault
        assert "pending" not in (does, result), fault


# SQL and other examples

def test_the_statements_are_those_of_the_program(configuration: Path) -> None:
    done = run_kopru("sql", "-c", str(configuration / "kopru.cfg"))
    known = set(re.findall(r"\bkopru_\w+", done.stdout.decode())) | {"kopru_commit"}
    cells = [row[0] for row in table_of("docs/architecture.md", "| statement | does |")]
    named = {name for cell in cells for name in cell.split(", ")}
    assert named - known == set()
    of_subscriptions = run_kopru("sql", "-e", "subscription", "-c",
                                 str(configuration / "kopru.cfg")).stdout.decode()
    assert set(re.findall(r"^PREPARE (\w+)", of_subscriptions, re.MULTILINE)) - named == set()


@no_kopru
@pytest.mark.parametrize("name", ["README.md", "docs/operations.md"])
def test_the_shown_sql_runs(name: str, db: Database) -> None:
    blocks = blocks_of(name, "sql")
    assert blocks
    for block in blocks:
        with db.admin() as connection, connection.transaction(force_rollback=True):
            connection.execute(block.replace(" crm ", f" {db.name} "))  # the documents' database


@no_kopru
@each_document
def test_shown_json_is_json(name: str) -> None:
    for block in blocks_of(name, "json"):
        json.loads(block)
