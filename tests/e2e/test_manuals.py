"""The man pages and the completion of bash name what the program has, and nothing else."""

import re
import shlex
import subprocess
from functools import cache

import pytest
from support.daemon import run_kopru
from support.database import REPOSITORY
from support.installation import build_directory

PAGES = ["kopru.1", "kopru.cfg.5", "kopru-entity.5"]


@cache
def page(name: str) -> str:
    """The page without the escapes of roff and without what makes words bold."""
    text = (build_directory() / "docs" / "man" / name).read_text(encoding="utf-8")
    return re.sub(r"\\(.)", r"\1", re.sub(r"\\f[BIR]|\\&", "", text))


def section(name: str, heading: str) -> str:
    _, found, rest = page(name).partition(f".SH {heading}\n")
    assert found, f"{name} has no {heading}"
    return rest.partition("\n.SH ")[0]


@cache
def commands() -> list[str]:
    found = re.findall(r"^  ([a-z-]+)  ", run_kopru("--help").stdout.decode(), re.MULTILINE)
    return [command for command in found if command != "help"]


@cache
def help_of(command: str) -> str:
    return run_kopru(command, "--help").stdout.decode()


def options_of(command: str) -> list[str]:
    """As --help has them: "-c, --config FILE"."""
    lines = help_of(command).partition("\noptions:\n")[2].splitlines()
    return [re.match(r"(?:-\w, )?--[\w-]+(?: [A-Z]+)?", line.strip())[0]  # type: ignore[index]
            for line in lines]


def words(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_are_ones_that_man_takes(name: str) -> None:
    path = build_directory() / "docs" / "man" / name
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", str(path)],
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"^@.*@$", page(name), re.MULTILINE) == []


def test_the_page_has_each_command_with_its_help_and_its_options() -> None:
    assert len(commands()) > 3
    text = section("kopru.1", "COMMANDS")
    shown = re.findall(r"^\.SS kopru ([a-z-]+) ", text, re.MULTILINE)
    assert shown == commands()
    for command, body in zip(commands(), re.split(r"^\.SS .*$", text, flags=re.MULTILINE)[1:],
                             strict=True):
        assert re.findall(r"^(?:-\w, )?--[\w-]+(?: [A-Z]+)?$", body,
                          re.MULTILINE) == options_of(command)
        example, paragraphs = help_of(command).partition("\noptions:")[0].split("\n\n", 2)[1:]
        plain = words(re.sub(r"^\.\w+.*\n", "", body, flags=re.MULTILINE))
        assert example in body
        for paragraph in paragraphs.split("\n\n"):
            assert words(paragraph).strip() in plain


def test_the_page_has_each_exit_status() -> None:
    known = dict(re.findall(r"^  (\d+) +(.*)$", run_kopru("--help").stdout.decode(), re.MULTILINE))
    assert len(known) > 7
    shown = re.findall(r"^(\d+)\n\.RS 4\n(.*)\n", section("kopru.1", "EXIT STATUS"), re.MULTILINE)
    assert dict(shown) == known


def settings_of_the_source() -> list[tuple[str, str]]:
    source = (REPOSITORY / "src/config/option.c").read_text(encoding="utf-8")
    table = source.partition("OPTIONS[] = {")[2].partition("\n};")[0]
    return re.findall(r'\.group = "(\w*)",\s*\.key = "(\w+)"', table)


def test_the_page_has_each_setting_below_its_group() -> None:
    shown = []
    for part in section("kopru.cfg.5", "SETTINGS").split("\n.SS ")[1:]:
        group = re.match(r"\w+", part)[0]  # type: ignore[index]
        shown += [("" if group == "At" else group, key)
                  for key in re.findall(r"^(\w+) \([a-z ]+\)$", part, re.MULTILINE)]
    assert len(shown) > 25
    assert shown == settings_of_the_source()


def test_a_setting_has_its_range_its_default_and_its_variable() -> None:
    text = section("kopru.cfg.5", "SETTINGS")
    assert re.search(r"^heartbeat \(integer\)\n.*\n.*From 1 to 600 seconds. Default: 20\.$", text,
                     re.MULTILINE)
    assert "The environment variable KOPRU_AMQP_URI overrides it." in text
    assert 'One of: "delivery", "timestamp". Default: "delivery".' in text


def test_the_page_has_each_variable_of_the_environment() -> None:
    source = (REPOSITORY / "src/config/option.c").read_text(encoding="utf-8")
    known = re.findall(r'\.environment = "(\w+)"', source)
    assert len(known) > 3
    assert re.findall(r"^(KOPRU_\w+)$", section("kopru.1", "ENVIRONMENT"), re.MULTILINE) == known


def settings_of_entity_files() -> set[str]:
    """What the reader of entity files knows, in whichever group."""
    found: set[str] = set()
    for name in ["entity_file.c", "entity_children.c"]:
        text = (REPOSITORY / "src/mapping" / name).read_text(encoding="utf-8")
        lists = re.findall(r"const char \*const (?:known|of_\w+)\[\] = \{([^}]*)NULL\s*\}", text)
        assert len(lists) == text.count("cfg_known(") + (name == "entity_file.c")
        found.update(re.findall(r'"(\w+)"', " ".join(lists)))
    return found


def test_the_page_has_each_setting_of_entity_files() -> None:
    shown: set[str] = set()
    for heading in ["SETTINGS", "COLUMNS", "CHILDREN"]:
        for line in re.findall(r"^((?:\w+, )*\w+)\n\.RS 4$", section("kopru-entity.5", heading),
                               re.MULTILINE):
            shown.update(line.split(", "))
    assert len(shown) > 15
    assert shown == settings_of_entity_files()


# completion

def completed(*line: str) -> list[str]:
    """What bash offers for the last word of the line."""
    script = (f"source {build_directory()}/docs/man/completion.bash\n"
              f"COMP_WORDS=({shlex.join(['kopru', *line])})\nCOMP_CWORD={len(line)}\n"
              "_kopru\nprintf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_every_command_is_completed() -> None:
    assert completed("") == [*commands(), "help", "--help", "--version"]
    assert completed("help", "") == [*commands(), "help"]
    assert completed("ch") == ["check"]


def test_every_option_is_completed() -> None:
    for command in commands():
        expected = [re.search(r"--[\w-]+", option)[0]  # type: ignore[index]
                    for option in options_of(command)]
        assert len(expected) > 1
        assert completed(command, "-") == expected


def test_values_are_completed() -> None:
    for command in commands():
        shown = re.search(r"form of the data on stdout: (.*?) \(", help_of(command))
        if shown is not None:
            choices = shown[1].split(" or ")
            assert completed(command, "--output", "") == choices
            assert completed(command, "--output", "=", choices[-1][0]) == [choices[-1]]
            assert completed(command, "--output", "=") == choices
    assert completed("map", "--entity", "") == []
    assert f"{REPOSITORY}/sqitch.conf" in completed("run", "-c", f"{REPOSITORY}/sq")
