"""A Debian 13 server with Docker and podman, in a container: what runs there touches nothing of the
machine that runs the tests, neither its images, its ports nor its configuration.

    with ContainerHost() as host:
        host.copy_repository("/srv/kopru")
        print(host.run("docker compose up --detach", folder="/srv/kopru"))

systemd runs in it, because podman has the health checks of containers made by timers of systemd.
The images are made from Debian's packages alone, since no registry may be reachable: debootstrap
makes those of Debian, under the names that the Dockerfiles name in FROM. Two stand in for the
official images of PostgreSQL and RabbitMQ, see tests/support/containers.

All of it is kept in one temporary directory, storage of images included, and is removed at the end.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from support.database import REPOSITORY
from support.podman import Podman, make_debian
from support.wait import wait_until

_FILES = Path(__file__).parent / "containers"

# The images of Debian: their suites and the names in FROM.
BASES = {"bookworm": "debian:bookworm-20250929-slim", "trixie": "debian:trixie-slim"}
STAND_INS = {"postgres": "postgres:17.5-bookworm", "rabbitmq": "rabbitmq:3.13.7-management"}


class ContainerHost:
    def __init__(self) -> None:
        # Not below /tmp, which may be a tmpfs.
        self._folder = Path(tempfile.mkdtemp(prefix="kopru-containers-", dir="/var/tmp"))
        self._name = self._folder.name
        self._podman = Podman(
            _FILES / "containers.conf", f"--root={self._folder}/storage",
            f"--runroot={self._folder}/run", f"--network-config-dir={self._folder}/networks")

    def __enter__(self) -> "ContainerHost":
        try:
            for suite in BASES:
                make_debian(suite, self._folder / suite)
            self._start()
            for suite, name in BASES.items():
                for engine, image in (("docker", name), ("podman", f"docker.io/library/{name}")):
                    self._feed(f"{engine} import - {image}", self._tar_of(suite))
                shutil.rmtree(self._folder / suite)
            self._make_stand_ins()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._podman("rm", "--force", "--time=20", "--volumes", self._name, check=False)
        self._podman("network", "rm", "--force", self._name, check=False)
        for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()[::-1]:
            if (mounted := line.split()[4]).startswith(f"{self._folder}/"):
                subprocess.run(["umount", "--lazy", mounted], check=False)
        shutil.rmtree(self._folder)

    def _tar_of(self, suite: str) -> list[str]:
        return ["tar", "-C", str(self._folder / suite), "-c", "."]

    def _feed(self, command: str, source: list[str]) -> None:
        """Run a command on the host with the output of one that runs here as its input."""
        with subprocess.Popen(source, stdout=subprocess.PIPE) as sent:
            self._podman("exec", "--interactive", self._name, "sh", "-c", command,
                         stdin=sent.stdout)
        assert sent.returncode == 0, source

    def _start(self) -> None:
        image = f"localhost/{self._name}"
        with subprocess.Popen(self._tar_of("trixie"), stdout=subprocess.PIPE) as sent:
            self._podman("import", "-", f"docker.io/library/{BASES['trixie']}", stdin=sent.stdout)
        self._podman("build", "--network=host", "--pull=never", f"--tag={image}",
                     f"--file={_FILES}/host.Dockerfile", str(_FILES))
        self._podman("network", "create", self._name)
        self._podman("run", "--detach", f"--name={self._name}", f"--network={self._name}",
                     "--systemd=always", "--privileged", "--cgroupns=private",
                     "--volume=/var/lib/docker", "--volume=/var/lib/containers", image)
        wait_until(lambda: self.succeeds("docker info"), 120, "Docker to run on the host")
        # With hybrid control groups podman mounts one for systemd twice, and the upper one has a
        # root that runc cannot find in it.
        self.run("! grep -q ' /../.. /sys/fs/cgroup/systemd ' /proc/self/mountinfo || "
                 "umount --lazy /sys/fs/cgroup/systemd")

    def _make_stand_ins(self) -> None:
        self._feed("mkdir /srv/stand-ins && tar -x -C /srv/stand-ins",
                   ["tar", "-C", str(_FILES), "-c", "."])
        for file, name in STAND_INS.items():
            self.run(f"docker build --tag {name} --file {file}.Dockerfile .", "/srv/stand-ins")
        self.run(f"docker save {' '.join(STAND_INS.values())} | podman load")

    def copy_repository(self, folder: str) -> None:
        """The files of the repository, changed ones too, as a clone with one commit."""
        files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others",
                                "--exclude-standard"], cwd=REPOSITORY, check=True,
                               capture_output=True).stdout.split(b"\0")
        names = self._folder / "files"
        names.write_bytes(b"\0".join(name for name in files
                                     if name and (REPOSITORY / name.decode()).exists()))
        self._feed(f"mkdir -p {folder} && tar -x --no-same-owner -C {folder}",
                   ["tar", "-C", str(REPOSITORY), "-c", "--null", "-T", str(names)])
        self.run("git init --quiet && git add . && git -c user.name=kopru -c user.email=kopru@kopru"
                 " commit --quiet --message=copy", folder=folder)

    def run(self, command: str, folder: str = "/root") -> str:
        """What it prints, on stdout and on stderr; it must succeed."""
        return self._execute(command, folder)

    def output(self, command: str, folder: str = "/root") -> str:
        """What it prints on stdout alone; it must succeed."""
        return self._execute(command, folder, stderr=subprocess.PIPE)

    def _execute(self, command: str, folder: str, **options) -> str:
        return self._podman("exec", f"--workdir={folder}",
                            "--env=PODMAN_IGNORE_CGROUPSV1_WARNING=1", self._name, "bash", "-c",
                            command, **options).stdout

    def succeeds(self, command: str) -> bool:
        return self.run(f"{command} >/dev/null 2>&1 && echo yes || echo no") == "yes\n"
