"""tools/packages.txt: each group has the packages of what the commands that ask for it use."""

import ast
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.database import REPOSITORY
from support.postgres import installed_bin_directory

pytestmark = pytest.mark.no_kopru

LIST = REPOSITORY / "tools" / "packages.txt"

# The groups that a command of ./dev installs, and programs that it starts.
PROGRAMS = {
    "build": ({"build"}, ["cmake", "gcc", "ninja", "pkg-config", "scdoc"]),
    "demo": ({"build", "demo"}, ["curl", "initdb", "psql", "python3", "rabbitmq-server", "sqitch"]),
    "chaos": ({"build", "demo", "chaos"}, ["pgbouncer", "python3"]),
    "test": ({"build", "demo", "test"}, ["dpkg-shlibdeps", "file", "git", "groff", "openssl",
                                         "pgbouncer", "ps", "pytest-3", "systemd-analyze"]),
    "test quick": ({"build", "quick"}, ["ctest", "pytest-3"]),
    "test unit": ({"build", "unit"}, ["ctest", "python3"]),
    "test --full": ({"build", "demo", "test", "mutants", "bench", "full", "on", "package",
                     "podman", "postgres"},
                    ["debootstrap", "git", "podman", "runc", "valgrind"]),
    "test --on": ({"on"}, ["debootstrap", "git"]),
    "test --postgres": ({"postgres"}, []),  # npm may come from elsewhere than Debian
    "mutants": ({"build", "demo", "test", "mutants"}, ["git"]),
    "bench": ({"build", "demo", "bench"}, ["valgrind"]),
    "coverage": ({"build", "demo", "test", "coverage"}, ["gcovr"]),
    "lint": ({"build", "lint"}, ["clang-format", "clang-tidy", "pyflakes3", "python3",
                                 "shellcheck"]),
    "package": ({"build", "package"}, ["cpack", "dpkg-shlibdeps", "file", "lintian"]),
    "fmt": ({"fmt"}, ["clang-format"]),
    "fuzz": ({"build", "fuzz"}, ["clang", "python3"]),
}

# What runs in Python for a command; what these files import from tests/ and tools/ is followed.
SCRIPTS = {
    "demo": ["tools/demo.py"],
    "chaos": ["tools/chaos.py"],
    "bench": ["bench/run.py"],
    "test quick": ["tests/conftest.py", "tests/golden/test_map.py"],
    "lint": ["tools/check-conditionals", "tools/check-layers", "tools/check-lines",
             "tools/check-sizes"],
    "fuzz": ["tests/fuzz/golden_seeds.py"],
    "test unit": ["tests/fuzz/golden_seeds.py"],
}


def rows() -> list[tuple[str, set[str], str]]:
    """Package, groups and reason of each line."""
    found = []
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            match = re.fullmatch(r"([a-z0-9.+-]+) +([a-z,]+) +# (\S.*)", line)
            assert match is not None, line
            found.append((match[1], set(match[2].split(",")), match[3]))
    return found


def packages_of(groups: set[str]) -> set[str]:
    return {package for package, of, _ in rows() if of & groups}


def output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def owner_of(path: str | Path) -> set[str]:
    """The packages that brought this file: usr-merge knows a file of /usr by two names."""
    real = str(Path(path).resolve())
    for name in (real, real.removeprefix("/usr"), str(path)):
        found = output_of("dpkg", "--search", name)
        if found:
            return {package.partition(":")[0] for package in found.partition(": ")[0].split(", ")}
    return set()


@cache
def dependencies() -> dict[str, set[str]]:
    """Of each installed package those that it depends on, also by the names that they provide."""
    shown = output_of("dpkg-query", "--show",
                      "--showformat=${Package}\t${Depends}, ${Pre-Depends}\t${Provides}\n")
    of, providers = {}, {}
    for line in shown.splitlines():
        package, depends, provides = line.split("\t")
        of[package] = set(re.findall(r"(?:^|[,|]) *([a-z0-9.+-]+)", depends))
        for name in re.findall(r"(?:^|,) *([a-z0-9.+-]+)", provides):
            providers.setdefault(name, set()).add(package)
    return {package: needed.union(*(providers.get(name, set()) for name in needed))
            for package, needed in of.items()}


def closure(packages: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(packages)
    while waiting:
        package = waiting.pop()
        if package not in found:
            found.add(package)
            waiting += dependencies().get(package, ())
    return found


def modules_of(path: Path, seen: set[Path]) -> set[str]:
    """The modules that a script imports and that are not the project's own."""
    if path in seen:
        return set()
    seen.add(path)
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            # What is imported from a package may be a module of it.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            own = [folder / f"{name.replace('.', '/')}.py" for folder in
                   (REPOSITORY, REPOSITORY / "tests", REPOSITORY / "tools", path.parent)]
            known = next((file for file in own if file.exists()), None)
            if known is not None:
                found |= modules_of(known, seen)
            elif not any(file.with_suffix("").is_dir() for file in own):
                found.add(name.partition(".")[0])
    return {name for name in found if not any(
        (REPOSITORY / folder / name).is_dir() for folder in (".", "tests", "tools"))}


def test_each_package_stands_once_with_groups_and_a_reason() -> None:
    names = [package for package, _, _ in rows()]
    assert names == sorted(set(names))
    assert len(names) > 30


def test_the_packages_exist() -> None:
    """Debian knows them, installed or not; where no list was ever downloaded, only if installed."""
    names = sorted(packages_of({group for _, groups, _ in rows() for group in groups}))
    known = set(output_of("apt-cache", "pkgnames").split())
    known |= set(output_of("dpkg-query", "--show", "--showformat=${Package}\n").split())
    assert [name for name in names if name not in known] == []


def test_commands_and_groups_are_each_others() -> None:
    text = (REPOSITORY / "dev").read_text(encoding="utf-8")
    asked = [frozenset(match.split()) for match in re.findall(r"\binstall ([a-z ]+)$", text, re.M)]
    offered = {group for _, groups, _ in rows() for group in groups}
    assert set().union(*asked) == offered
    for command, (groups, _) in PROGRAMS.items():
        assert frozenset(groups) in asked, command
    for groups in asked:
        assert groups == {"demo"} or groups in [of for of, _ in PROGRAMS.values()], groups


@pytest.mark.parametrize("command", PROGRAMS)
def test_the_programs_of_a_command_are_in_its_groups(command: str) -> None:
    groups, programs = PROGRAMS[command]
    installed = closure(packages_of(groups))
    for program in programs:
        path = shutil.which(program, path=f"/usr/sbin:/usr/bin:{installed_bin_directory()}")
        if path is None:
            assert command not in ("test", "test quick"), f"{program} is not installed"
            pytest.skip(f"{program} is not installed")
        assert owner_of(path) & installed, f"./dev {command} starts {program}"


@pytest.mark.parametrize("command", SCRIPTS)
def test_the_modules_of_a_command_are_in_its_groups(command: str) -> None:
    installed = closure(packages_of(PROGRAMS[command][0]))
    scripts = [REPOSITORY / name for name in SCRIPTS[command]]
    foreign = set().union(*(modules_of(path, set()) for path in scripts)) - sys.stdlib_module_names
    for name in foreign:
        spec = find_spec(name)
        assert spec is not None and spec.origin is not None, name
        assert owner_of(spec.origin) & installed, f"./dev {command} imports {name}"


def test_the_libraries_of_the_build_are_in_its_group() -> None:
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    text += (REPOSITORY / "tests/unit/CMakeLists.txt").read_text(encoding="utf-8")
    libraries = re.findall(r"pkg_check_modules\(\w+ REQUIRED IMPORTED_TARGET ([\w-]+)\)", text)
    assert len(libraries) > 5
    for library in libraries:
        folder = output_of("pkg-config", "--variable=pcfiledir", library).strip()
        assert owner_of(f"{folder}/{library}.pc") & packages_of({"build"}), library


def test_the_image_is_built_with_packages_of_the_build() -> None:
    text = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").partition("WORKDIR")[0]
    wanted = text.partition("--no-install-recommends")[2].partition("&&")[0].split()
    assert len(wanted) > 8
    assert set(wanted) - {"\\"} <= packages_of({"build"})


def sourced(folder: Path, commands: str, **programs: str) -> subprocess.CompletedProcess[str]:
    """Commands that use the functions of tools/install-packages, with these scripts in PATH."""
    text = (REPOSITORY / "tools/install-packages").read_text(encoding="utf-8")
    script = folder / "script"
    script.write_text(text.partition("\nif ((EUID")[0] + f"\nlog={folder}/log\n{commands}\n")
    for name, body in programs.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/bash\necho \"$*\" >>{folder}/calls\n{body}\n")
        path.chmod(0o755)
    return subprocess.run(["bash", str(script)], capture_output=True, text=True, check=False,
                          env={"PATH": f"{folder}:/usr/bin:/bin"})


def test_apt_is_quiet_and_each_step_has_a_line(tmp_path: Path) -> None:
    done = sourced(tmp_path, "install_with_known_lists a b",
                   apt_get="echo noise; echo more noise >&2")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "setup: installing 2 Debian packages\n"
    assert (tmp_path / "log").read_text().count("more noise") == 2  # the trial, then the doing


@pytest.mark.parametrize(("apt", "said"), [
    ("[[ $1 == update || -e $0.updated ]] && touch $0.updated",
     ["updating the package lists", "installing 1 Debian package"]),
    ("[[ $1 == update || $* == *--simulate* ]]",
     ["installing 1 Debian package", "updating the package lists",
      "installing 1 Debian package"]),
])
def test_old_lists_are_updated_once(tmp_path: Path, apt: str, said: list[str]) -> None:
    done = sourced(tmp_path, "install_with_known_lists a && echo ok || echo failed", apt_get=apt)
    assert done.stdout.splitlines()[:-1] == [f"setup: {line}" for line in said]
    assert done.stdout.splitlines()[-1] == ("ok" if len(said) == 2 else "failed")
    assert (tmp_path / "calls").read_text().count("update ") == 1


def test_a_failure_says_what_apt_said_and_where_the_log_is() -> None:
    text = (REPOSITORY / "tools/install-packages").read_text(encoding="utf-8")
    failure = text.partition("if ! install_with_known_lists")[2]
    assert "its output is in $log" in failure.partition("fi\n")[0]
    assert text.index("exit 1", text.index("its output is in")) < text.index("rm -f \"$log\"")
