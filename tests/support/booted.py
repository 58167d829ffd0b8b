"""A Debian that systemd has booted, in a container of podman: for the package and its unit.

    with booted.Machine("trixie", Path("build/booted-trixie.txt")) as machine:
        machine.run("systemctl start kopru")        # and the transcript shows it
        machine.wait_for("systemctl is-active kopru", "active")

The images are made from Debian's packages alone and are kept by podman: localhost/kopru-debian is
what debootstrap makes, localhost/kopru-booted has the packages of booted.Containerfile as well.
"""

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

from support.database import REPOSITORY
from support.podman import Podman, make_debian, run
from support.wait import patience, wait_until

_HERE = Path(__file__).parent
_SETTINGS = _HERE / "booted.conf"

# What dpkg writes over itself on a terminal.
_PROGRESS = re.compile(r"^\(Reading database \.\.\. \d*%?\n|(?<=\n)\n(?=\n)", re.M)


def _make_base(podman: Podman, suite: str) -> None:
    with tempfile.TemporaryDirectory(prefix="kopru-base-") as folder:
        root, archive = f"{folder}/root", f"{folder}/root.tar"
        make_debian(suite, Path(root))
        run(["tar", "-C", root, "-cf", archive, "."])
        podman("import", archive, f"localhost/kopru-debian:{suite}")


def _image(podman: Podman, suite: str) -> str:
    """Its tag says what it was made from, so that a change makes another one."""
    recipe = _HERE / "booted.Containerfile"
    mark = sha256(recipe.read_bytes()).hexdigest()[:12]
    name = f"localhost/kopru-booted:{suite}-{mark}"
    if podman("image", "exists", name, check=False).returncode != 0:
        base = f"localhost/kopru-debian:{suite}"
        if podman("image", "exists", base, check=False).returncode != 0:
            _make_base(podman, suite)
        older = podman("images", "--quiet", f"--filter=reference=localhost/kopru-booted:{suite}-*")
        with tempfile.TemporaryDirectory(prefix="kopru-context-") as empty:
            podman("build", "--network=host", "--pull=never", f"--build-arg=SUITE={suite}",
                   f"--tag={name}", f"--file={recipe}", empty)
        podman("rmi", *older.stdout.split(), check=False)
    return name


class Machine:
    """What run() does goes into the transcript, as a person at a terminal would have it."""

    def __init__(self, suite: str, transcript: Path):
        self._suite = suite
        self._transcript = transcript
        self._podman = Podman(_SETTINGS)
        self._name = f"kopru-booted-{suite}-{token_hex(4)}"

    def __enter__(self) -> "Machine":
        image = _image(self._podman, self._suite)
        self._transcript.parent.mkdir(exist_ok=True)
        self._transcript.write_text("", encoding="utf-8")
        self._podman("run", "--detach", f"--name={self._name}", "--hostname=erp-host",
                     "--systemd=always", "--privileged", image)
        try:
            self.wait_until_booted()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._podman("rm", "--force", "--time=0", self._name, check=False)

    def wait_until_booted(self) -> None:
        state = wait_until(lambda: {"running", "degraded"}.intersection(
            self.ask("systemctl is-system-running").split()), 120, f"{self._name} to boot")
        assert state == {"running"}, self.ask("systemctl --failed")

    def reboot(self) -> None:
        self.note("(the machine is rebooted)")
        self._podman("restart", self._name)
        self.wait_until_booted()

    def note(self, text: str) -> None:
        with self._transcript.open("a", encoding="utf-8") as file:
            file.write(f"{text.rstrip()}\n")

    def _execute(self, command: str, stdin: str, user: str) -> subprocess.CompletedProcess[str]:
        return self._podman("exec", "--interactive", f"--user={user}", "--workdir=/srv",
                            self._name, "bash", "-c", command, input=stdin, check=False)

    def run(self, command: str, stdin: str = "", *, user: str = "root", status: int = 0) -> str:
        """What it prints on either stream. stdin is what the person types meanwhile."""
        done = self._execute(command, stdin, user)
        prompt = "#" if user == "root" else "$"
        printed = _PROGRESS.sub("", done.stdout.replace("\r", "\n"))
        self.note(f"{prompt} {command}\n{printed}")
        assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def ask(self, command: str, *, user: str = "root") -> str:
        """The same, whatever the status, and the transcript does not show it."""
        return self._execute(command, "", user).stdout

    def wait_for(self, command: str, expected: str | Callable[[str], bool],
                 deadline_s: float = 60) -> str:
        """Until it prints this, or something that is accepted; then the transcript shows it."""
        accepts = expected if callable(expected) else lambda text: text == expected
        last = ""

        def is_as_expected() -> bool:
            nonlocal last
            last = self.ask(command).strip()
            return accepts(last)

        try:
            wait_until(is_as_expected, deadline_s, command)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{command} prints:\n{last}") from error
        self.note(f"# {command}\n{last}\n")
        return last

    def copy_in(self, source: Path, target: str) -> None:
        self._podman("cp", str(source), f"{self._name}:{target}")

    def write(self, path: str, text: str, mode: str = "644") -> None:
        self._podman("exec", "--interactive", self._name, "install", "-D", f"--mode={mode}",
                     "/dev/stdin", path, input=text)

    @contextmanager
    def publisher(self, first_id: int, queue: str) -> Iterator[Callable[[], int]]:
        """Publishes meanwhile. What it gives ends that, and says how many were confirmed."""
        script = (_HERE / "steady_publisher.py").read_text(encoding="utf-8")
        process = subprocess.Popen(
            ["podman", "exec", "--interactive", self._name, "python3", "-c", script,
             str(first_id), queue], env=self._podman.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

        def stop() -> int:
            output, _ = process.communicate("end\n", timeout=60 * patience())
            assert process.returncode == 0, output
            return int(output.split()[-1])

        try:
            assert process.stdout is not None and process.stdout.readline() == "publishing\n"
            yield stop
        finally:
            process.kill()
            process.wait()


def package(suite: str) -> Path:
    """The Debian package, built in that Debian."""
    release = dict(line.split("=", 1) for line in
                   Path("/etc/os-release").read_text(encoding="utf-8").splitlines())
    own = release.get("VERSION_CODENAME", "") == suite
    done = subprocess.run(["./dev", "package", *([] if own else ["--on", suite])], cwd=REPOSITORY,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    return REPOSITORY / done.stdout.splitlines()[-1]


def newer(old: Path, folder: Path, changed: dict[str, str]) -> Path:
    """The same package as version 99, with a line more in each of these files."""
    root = folder / "root"
    subprocess.run(["dpkg-deb", "--raw-extract", str(old), str(root)], check=True)
    for name, line in changed.items():
        with (root / name.lstrip("/")).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    control = root / "DEBIAN/control"
    text = control.read_text(encoding="utf-8")
    version = text.partition("\nVersion: ")[2].partition("\n")[0]
    control.write_text(text.replace(f"\nVersion: {version}\n", "\nVersion: 99.0-1\n"),
                       encoding="utf-8")
    made = folder / "kopru_99.0-1_amd64.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", str(root), str(made)], check=True,
                   capture_output=True)
    return made
