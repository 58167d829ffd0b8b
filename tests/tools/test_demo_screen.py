"""What the demo says fits the terminal, and breaks no line in a word."""

import re
import sys
from collections.abc import Iterator

import pytest
from support.database import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tools"))
from demo.screen import Screen  # noqa: E402
from demo.tables import Part, Table, parts_of, wrap  # noqa: E402

pytestmark = pytest.mark.no_kopru

TEXT = "6 migrations with Sqitch as kopru_owner; login kopru_daemon may only write rows"
TABLE = Table(["position", "name", "detail"], [
    ["1", "MONTAGEADRESS", "PINAR MAH. ONDOKUZ MAYIS BLV. AK TOWERS NO:42 İÇ KAPI NO:84"],
    ["20", "", "1200025 bytes; at most 1048576 are taken (limits.max_message_bytes)"],
    ["3", "nothing", ""],
], [True, False, False])


@pytest.fixture(params=[40, 60, 80, 120])
def screen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    monkeypatch.setenv("COLUMNS", str(request.param))
    made = Screen()
    assert made.columns == request.param
    yield made


def words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s│┼┬─]+", text) if word]


def require_fitting(lines: list[str], columns: int) -> None:
    assert lines and [line for line in lines if len(line) > columns] == []


def test_a_step_goes_on_below_its_text(screen: Screen, capsys: pytest.CaptureFixture[str]) -> None:
    with screen.step("schema", "installing") as step:
        step.done(TEXT)
    text = capsys.readouterr().out
    lines = text.splitlines()
    require_fitting(lines, screen.columns)
    assert (len(lines) == 1) == (screen.columns == 120)
    assert all(line.startswith(" " * 13) for line in lines[1:])
    assert words(text)[:-2] == ["schema", *words(TEXT)]
    assert re.search(r"\(0\.\d s\)$", lines[-1])


def test_lines_are_wrapped_between_words(screen: Screen,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    screen.heading(f"{TEXT}; {TEXT}")
    screen.line("one\n\n  two")
    text = capsys.readouterr().out
    require_fitting(text.splitlines(), screen.columns)
    assert words(text) == [*words(f"{TEXT}; {TEXT}"), "one", "two"]
    assert text.startswith("\n") and text.endswith("\none\n\n  two\n")


def test_a_table_fits_and_keeps_its_words(screen: Screen,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    screen.table(TABLE, as_records=False)
    text = capsys.readouterr().out
    require_fitting(text.splitlines(), max(screen.columns, 42))  # one word has 26 columns
    found = words(text)
    for cell in (cell for row in TABLE.rows for cell in row):
        assert set(words(cell)) <= set(found)


def test_a_table_at_120_columns() -> None:
    assert list(TABLE.draw(120)) == [
        " position │     name      │                               detail",
        "──────────┼───────────────┼" + "─" * 69,
        "        1 │ MONTAGEADRESS │ PINAR MAH. ONDOKUZ MAYIS BLV. AK TOWERS NO:42 İÇ KAPI NO:84",
        "       20 │               │ 1200025 bytes; at most 1048576 are taken"
        " (limits.max_message_bytes)",
        "        3 │ nothing       │",
    ]


def test_a_table_at_60_columns() -> None:
    assert list(TABLE.draw(60)) == [
        " position │     name      │             detail",
        "──────────┼───────────────┼─────────────────────────────────",
        "        1 │ MONTAGEADRESS │ PINAR MAH. ONDOKUZ MAYIS BLV.",
        "          │               │ AK TOWERS NO:42 İÇ KAPI NO:84",
        "       20 │               │ 1200025 bytes; at most 1048576",
        "          │               │ are taken",
        "          │               │ (limits.max_message_bytes)",
        "        3 │ nothing       │",
    ]


def test_a_table_whose_words_do_not_fit_becomes_records() -> None:
    assert list(Table(["a", "long_name"], [["one", "two three"], ["", "wide_word"]],
                      [False, False]).draw(14)) == [
        "─[ RECORD 1 ]┬",
        "a         │ one",
        "long_name │ two",
        "          │ three",
        "─[ RECORD 2 ]┬",
        "a         │",
        "long_name │ wide_word",
    ]


def test_a_table_without_rows_has_its_names() -> None:
    assert list(Table(["a"], [], [False]).draw(80)) == [" a", "───"]


@pytest.mark.parametrize(("text", "lines"), [
    ("", [""]), ("a b", ["a b"]), ("abcdef gh", ["abcdef", "gh"]), ("abcdefghi", ["abcdefghi"]),
    ("ab-cd-ef", ["ab-cd-ef"]),
])
def test_words_stay_whole(text: str, lines: list[str]) -> None:
    assert wrap(text, 6) == lines


def test_a_file_for_psql_is_read() -> None:
    script = ("-- about\n\\pset border 1\nSET a = 'b';  -- why\n\\echo rows (all)\n\\x on\n"
              "SELECT 1\nFROM t;\n\\x off\nSELECT 2;\n")
    assert list(parts_of(script)) == [
        Part(statement="SET a = 'b';"), Part(title="rows (all)"),
        Part(statement="SELECT 1\nFROM t;", as_records=True), Part(statement="SELECT 2;")]


@pytest.mark.parametrize("name", ["samples.sql", "dead_letters.sql"])
def test_the_files_of_the_demo_hold_only_what_is_read(name: str) -> None:
    script = (REPOSITORY / "tools/demo" / name).read_text(encoding="utf-8")
    commands = set(re.findall(r"^\\(\w+)", script, re.M))
    assert commands <= {"echo", "pset", "set", "x"}
    statements = [part.statement for part in parts_of(script) if part.statement]
    assert len(statements) == script.count(";") - len(re.findall("--.*;", script))
