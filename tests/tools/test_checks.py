"""The checks of ./dev lint find what they are there to find, and the tree passes them."""

import subprocess
from pathlib import Path

import pytest
from support.database import REPOSITORY

pytestmark = pytest.mark.no_kopru


def run(tool: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(REPOSITORY / "tools" / tool), *map(str, arguments)],
                          capture_output=True, text=True, check=False)


def test_the_tree_keeps_its_layers():
    done = run("check-layers")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(("file", "include", "told"), [
    ("base/a.c", '"model/value.h"', "base may include base, not model"),
    ("model/a.h", '"config/settings.h"', "not config"),
    ("config/a.c", '"model/value.h"', "not model"),
    ("mapping/a.c", '"pg/conn.h"', "not pg"),
    ("pg/a.c", '"amqp/consumer.h"', "not amqp"),
    ("amqp/a.c", '"bridge/bridge.h"', "not bridge"),
    ("bridge/a.c", '"mapping/mapper.h"', "not mapping"),
    ("bridge/a.c", '"pg/conn.h"', "not pg"),
    ("bridge/a.c", '"amqp/consumer.h"', "not amqp"),
    ("http/a.c", '"bridge/bridge.h"', "http may include base, http, not bridge"),
    ("bridge/a.c", '"http/server.h"', "not http"),
    ("main.c", '"bridge/bridge.h"', "not bridge"),
    ("base/a.c", '"arena.h"', 'written "layer/file.h"'),
    ("base/a.c", '"../cmd/cmd.h"', 'written "layer/file.h"'),
    ("bridge/a.c", "<libpq-fe.h>", "libpq has one door: pg"),
    ("pg/a.c", '"libconfig.h"', "libconfig has one door: config"),
    ("mapping/a.c", "<json-c/json.h>", "json-c has one door: base/json_out"),
    ("base/json_read.c", "<json-c/json.h>", "json-c has one door: base/json_out"),
    ("cmd/a.c", "<amqp.h>", "rabbitmq-c has one door: amqp"),
    ("cmd/a.c", "<amqp_framing.h>", "rabbitmq-c has one door: amqp"),
    ("cmd/a.c", "<rabbitmq-c/ssl_socket.h>", "rabbitmq-c has one door: amqp"),
    ("http/a.c", "<openssl/evp.h>", "OpenSSL has one door: base, amqp, pg"),
    ("cmd/a.c", "<microhttpd.h>", "libmicrohttpd has one door: http"),
    ("base/a.c", "HEADER", "cannot be checked"),
    ("util/a.c", "<stdio.h>", "'util' is no layer"),
    ("bridge/queue.h", '"bridge/consume/unacked.h"', "queue stands below consume in bridge"),
    ("bridge/write/a.c", '"bridge/watchdog.h"', "write stands below watchdog in bridge"),
    ("bridge/misc.c", '"bridge/queue.h"', "'misc' is no room of bridge"),
])
def test_a_wrong_include_is_found(tmp_path: Path, file: str, include: str, told: str):
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#include <stdio.h>\n  #  include {include} /* why */\n")
    done = run("check-layers", tmp_path)
    assert done.returncode == 1
    assert told in done.stdout
    assert done.stdout.startswith(f"{path}:")


def test_a_circle_of_files_is_found(tmp_path: Path):
    room = tmp_path / "bridge" / "write"
    room.mkdir(parents=True)
    (room / "a.c").write_text('#include "bridge/write/b.h"\n')
    (room / "b.h").write_text('#include "bridge/write/c.h"\n')
    (room / "c.c").write_text('#include "bridge/write/a.h"\n')
    done = run("check-layers", tmp_path)
    assert (done.returncode, "in a circle: bridge/write/" in done.stdout) == (1, True)


@pytest.mark.parametrize(("file", "include"), [
    ("base/a.c", '"base/arena.h"'), ("base/json_out.c", "<json-c/json.h>"),
    ("base/digest.c", "<openssl/evp.h>"),
    ("amqp/a.c", "<rabbitmq-c/amqp.h>"), ("amqp/a.h", '"amqp/consumer.h"'),
    ("pg/a.c", "<libpq-fe.h>"),
    ("config/a.c", "<libconfig.h>"), ("cmd/a.c", '"pg/conn.h"'), ("http/a.c", "<microhttpd.h>"),
    ("cmd/a.c", '"http/server.h"'), ("main.c", '"cmd/cmd.h"'),
])
def test_a_right_include_passes(tmp_path: Path, file: str, include: str):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#include {include}\n")
    done = run("check-layers", tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


def test_an_empty_tree_is_no_success(tmp_path: Path):
    assert run("check-layers", tmp_path).returncode == 1


@pytest.mark.parametrize(("name", "text", "told"), [
    ("a.c", "static int f(int a,\n             int b)\n{\n" + "    a++;\n" * 97 + "}\n",
     "a.c:1: 101 lines"),
    ("a.py", "x = 1\ndef f():\n" + "    pass\n" * 100, "a.py:2: 101 lines, more than 100: def f"),
    ("a.h", "int x;\n" * 601, "a.h:1: 601 lines, more than 600"),
])
def test_what_is_too_long_is_found(tmp_path: Path, name: str, text: str, told: str):
    path = tmp_path / name
    path.write_text(text)
    done = run("check-sizes", path)
    assert done.returncode == 1
    assert told in done.stdout


def test_what_is_just_short_enough_passes(tmp_path: Path):
    path = tmp_path / "a.c"
    function = "static int f(void)\n{\n" + "    x++;\n" * 97 + "}\n"
    path.write_text("int x;\n/* why */\n" + function + "\n" + function)
    done = run("check-sizes", path)
    assert (done.returncode, done.stdout) == (0, "")


# line length

def checked_lines(root: Path, name: str, text: str) -> subprocess.CompletedProcess[str]:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return run("check-lines", root)


def test_the_lines_of_the_tree_are_short():
    done = run("check-lines")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", [
    "src/a.c", "src/a.h", "tests/a.py", "docker/a.sh", "CMakeLists.txt", "cmake/a.cmake", "a.cfg",
])
def test_a_line_that_is_too_long_is_found(tmp_path: Path, name: str):
    done = checked_lines(tmp_path, name, f"short\n{'x' * 101}\n{'ş' * 100}\n")
    assert (done.returncode, done.stdout) == (1, f"{name}:2: 101 columns, more than 100\n")


@pytest.mark.parametrize("first", ["#!/bin/bash", "#!/bin/sh", "#!/usr/bin/python3"])
def test_scripts_are_told_by_their_first_line(tmp_path: Path, first: str):
    assert checked_lines(tmp_path, "tools/a", f"{first}\n{'x' * 101}\n").returncode == 1
    assert checked_lines(tmp_path, "tools/a", "x" * 101).returncode == 0


@pytest.mark.parametrize(("line", "status"), [
    ("x" * 100, 0), ("x" * 101, 1),
    ("| " + "x" * 200 + " |", 0),
    (f"{'x' * 90} [a b](docs/{'y' * 90}.md#z)", 0),
    (f"{'x' * 90} <https://example.com/{'y' * 90}>", 0),
    (f"{'x' * 98} [a b](docs/y.md)", 1),
])
def test_tables_and_links_of_markdown_may_be_longer(tmp_path: Path, line: str, status: int):
    assert checked_lines(tmp_path, "a.md", line + "\n").returncode == status


def test_a_setting_with_one_long_string_may_be_longer(tmp_path: Path):
    long = "x" * 101
    assert checked_lines(tmp_path, "a.cfg", f'    uri = "{long}";\n').returncode == 0
    assert checked_lines(tmp_path, "a.cfg", f'    uri = "{long}"; # why\n').returncode == 1


# conditionals

def checked_conditional(root: Path, expression: str) -> subprocess.CompletedProcess[str]:
    path = root / "src" / "a.c"
    path.parent.mkdir()
    path.write_text(f"/* a ? *p + 1 : 1 */\nlong f(void)\n{{\n    return {expression};\n}}\n")
    return run("check-conditionals", root)


def test_the_tree_has_no_conditional_that_gcc_14_miscompiles():
    done = run("check-conditionals")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("expression", [
    "b ? *p + 1 : 1", "b ? 1 + *p : 1", "b ? *p | 1 : 1", "b ? *p ^ 1 : 1", "b ? *p - 1 : -1",
    "b ? *p - 1L : -1", "b ? *p + 1 : 1u", "b ? *p + i : i", "b ? *p + s->n : s->n",
    "b ? p[2] + 1 : 1", "b ? sorted[i - 1][k].number + 1 : 1", "b ? s->n + 1 : 1",
    "b ? 7 / i + 1 : 1", "b ? 7 % i + 1 : 1", "b ? (long)(int)*p + 1 : 1", "b ? (*p + 1) : (1)",
    "b ? *p * 2 + 1 : 1", "b ? *p + *p + 1 : 1", "b ? (0, *p + 1) : 1",
    "(i & 1) == 0 ? 1 : *p + 1", "s.bit ? *p + 1 : 1", "b ? *p\n + 1 : 1",
    "c ? 2 : b ? *p + 1 : 1", "b ? (b ? *p + 1 : 1) + i : i", "f(b ? *p + 1 : 1, 2)",
    "v[b ? *p + 1 : 1]", "(struct s){ .n = b ? *p + 1 : 1, .m = 2 }",
])
def test_a_conditional_that_gcc_14_miscompiles_is_found(tmp_path: Path, expression: str):
    done = checked_conditional(tmp_path, expression)
    assert done.returncode == 1
    assert {line.partition(": gcc 14 ")[0] for line in done.stdout.splitlines()} == {"src/a.c:4"}


@pytest.mark.parametrize("expression", [
    "b ? *p : 1", "b ? *p + 1 : 2", "b ? *p - 1 : 1", "b ? *p & 1 : 1", "b ? *p * 3 : 3",
    "b ? *p << 1 : 1", "b ? n + 1 : 1", "b ? s.n + 1 : 1", "b ? n * m + 1 : 1", "b ? p : p + 1",
    "f(*p + 1, b ? 2 : 1)", "b ? \"*p + 1\" : \"1\"", "b ?: *p + 1", "b ? -1 : 1",
    "1 + (b ? *p : 0)",
])
def test_other_conditionals_pass(tmp_path: Path, expression: str):
    done = checked_conditional(tmp_path, expression)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_tree_without_c_files_is_no_success(tmp_path: Path):
    assert run("check-conditionals", tmp_path).returncode == 1
