"""The Debian package: what is in it, and what its scripts do."""

import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from support.database import REPOSITORY
from support.installation import build_directory, install, require

CONFFILES = {"/etc/kopru/kopru.cfg",
             *(f"/etc/kopru/entities/{path.name}"
               for path in (REPOSITORY / "etc/entities").glob("*.cfg"))}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    require("cpack", "--config", str(build_directory() / "CPackConfig.cmake"), "-B", str(folder))
    (found,) = folder.glob("*.deb")
    return found


@pytest.fixture(scope="module")
def control(package: Path) -> Path:
    """The control files of the package, its scripts among them."""
    require("dpkg-deb", "--control", str(package), str(package.parent / "control"))
    return package.parent / "control"


def output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@cache
def contents(package: Path) -> dict[str, tuple[str, str]]:
    """Mode and owner of each file, by its path."""
    found = {}
    for line in output_of("dpkg-deb", "--contents", str(package)).splitlines():
        mode, owner, _, _, _, path = line.split(maxsplit=5)
        if mode[0] != "d":
            found[path.removeprefix(".")] = (mode, owner)
    return found


def test_the_package_depends_on_the_libraries_of_the_program(package: Path) -> None:
    depends = output_of("dpkg-deb", "--field", str(package), "Depends")
    for library in ["libc6", "libconfig", "libjson-c", "libmicrohttpd", "libpq", "librabbitmq",
                    "libssl", "tzdata"]:
        assert library in depends, depends
    assert "systemd-sysusers" in depends and "init-system-helpers" in depends


def test_the_package_has_all_that_is_installed_and_the_configuration(package: Path,
                                                                     tmp_path: Path) -> None:
    install(tmp_path, "/usr")
    installed = {f"/{path.relative_to(tmp_path)}" for path in tmp_path.rglob("*")
                 if path.is_file()}
    doc = "/usr/share/doc/kopru"
    renamed = {f"{doc}/CHANGELOG.md": f"{doc}/changelog.gz", f"{doc}/LICENSE": f"{doc}/copyright"}
    expected = {f"{path}.gz" if path.startswith("/usr/share/man/") else renamed.get(path, path)
                for path in installed}
    assert len(expected) > 40
    assert set(contents(package)) == expected | CONFFILES | {
        f"{doc}/changelog.Debian.gz", "/usr/share/lintian/overrides/kopru"}


def test_the_configuration_is_not_for_everybody_and_all_else_is(package: Path) -> None:
    for path, (mode, owner) in contents(package).items():
        expected = "-rw-r-----" if path in CONFFILES else \
            "-rwxr-xr-x" if path == "/usr/bin/kopru" else "-rw-r--r--"
        assert (mode, owner) == (expected, "root/root"), path


def test_the_unit_of_the_package_starts_its_program(package: Path) -> None:
    require("dpkg-deb", "--extract", str(package), str(package.parent / "root"))
    unit = package.parent / "root/usr/lib/systemd/system/kopru.service"
    assert "\nExecStart=/usr/bin/kopru run\n" in unit.read_text(encoding="utf-8")


def test_an_upgrade_asks_before_it_replaces_the_configuration(control: Path) -> None:
    assert set((control / "conffiles").read_text().split()) == CONFFILES


def test_the_scripts_name_each_file_of_the_configuration(control: Path) -> None:
    text = (control / "postinst").read_text()
    (names,) = [line for line in text.splitlines() if line.strip().startswith("conffiles=")]
    assert set(names.split('"')[1].split()) == CONFFILES
    assert "@" not in text


# what the scripts do, on a system of which the commands only write down that they were called

COMMANDS = {"systemd-sysusers": 0, "systemctl": 0, "deb-systemd-invoke": 0, "chown": 0,
            "chmod": 0, "dpkg-statoverride": 1}


@pytest.fixture
def run_script(control: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """Runs a script below a root of its own, and returns the calls."""
    root = tmp_path / "root"
    for folder in ("etc/kopru/entities", "run/systemd/system"):
        (root / folder).mkdir(parents=True)
    for name in CONFFILES:
        (root / name[1:]).touch()
    commands = tmp_path / "commands"
    commands.mkdir()

    def run(name: str, *arguments: str, known: bool = False, enabled: bool = False) -> list[str]:
        statuses = {**COMMANDS, "deb-systemd-helper": 0}
        for command, status in statuses.items():
            path = commands / command
            path.write_text(f"#!/bin/sh\necho {command} \"$@\" >>{tmp_path}/calls\n"
                            f"case $* in debian-installed*) exit {int(not known)};;\n"
                            f"*was-enabled*) exit {int(not enabled)};; esac\nexit {status}\n")
            path.chmod(0o755)
        (tmp_path / "calls").write_text("")
        script = (control / name).read_text()
        for folder in ("/etc/kopru", "/run/systemd"):
            script = script.replace(folder, f"{root}{folder}")
        (tmp_path / name).write_text(script)
        require("sh", str(tmp_path / name), *arguments,
                PATH=f"{commands}:{os.environ['PATH']}")
        return (tmp_path / "calls").read_text().replace(str(root), "").splitlines()

    return run


def test_an_installation_makes_the_user_and_starts_nothing(run_script) -> None:
    calls = run_script("postinst", "configure", "")
    assert calls[0] == "systemd-sysusers kopru.conf"
    assert {call for call in calls if call.startswith("ch")} == {
        call for path in CONFFILES for call in (f"chown root:kopru {path}", f"chmod 0640 {path}")}
    assert "systemctl --system daemon-reload" in calls
    assert not [call for call in calls if " enable " in call or "start" in call]


def test_an_upgrade_restarts_what_runs(run_script) -> None:
    assert "deb-systemd-invoke try-restart kopru.service" in run_script("postinst", "configure",
                                                                        "0.1.0-1")
    assert run_script("prerm", "upgrade", "0.2.0-1") == []


def test_a_unit_that_was_enabled_is_enabled_again(run_script) -> None:
    enable = "deb-systemd-helper enable kopru.service"
    assert enable in run_script("postinst", "configure", "0.1.0-1", known=True, enabled=True)
    assert enable not in run_script("postinst", "configure", "0.1.0-1", known=True)


def test_a_removal_stops_it_and_keeps_the_passwords(run_script, tmp_path: Path) -> None:
    password = tmp_path / "root/etc/kopru/amqp-password"
    password.write_text("secret")
    assert run_script("prerm", "remove") == ["deb-systemd-invoke stop kopru.service"]
    assert run_script("postrm", "remove") == ["systemctl --system daemon-reload"]
    assert password.read_text() == "secret"


def test_a_purge_takes_the_passwords_and_leaves_what_it_does_not_know(run_script,
                                                                      tmp_path: Path) -> None:
    folder = tmp_path / "root/etc/kopru"
    (folder / "amqp-password").touch()
    (folder / "pgpass").touch()
    (folder / "erp-ca.pem").touch()
    for name in CONFFILES:  # dpkg removes these before
        (tmp_path / "root" / name[1:]).unlink()
    assert "deb-systemd-helper purge kopru.service" in run_script("postrm", "purge")
    assert [path.name for path in folder.iterdir()] == ["erp-ca.pem"]
    (folder / "erp-ca.pem").unlink()
    run_script("postrm", "purge")
    assert not folder.exists()
