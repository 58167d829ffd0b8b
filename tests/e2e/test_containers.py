"""The Dockerfile and docker-compose.yml, run by Docker and by podman on a host of their own.

tests/support/containers has what stands in for the official images of the servers.
"""

import faulthandler
import json
import re
from collections.abc import Iterator

import pytest
from support import readme
from support.container_host import ContainerHost
from support.marks import needs_podman
from support.wait import wait_until

pytestmark = [pytest.mark.full, pytest.mark.no_kopru, needs_podman]

FOLDER = "/srv/kopru"
SERVICES = ("broker", "database", "kopru")
DEADLINE_S = 120


COMPOSE, PODMAN, ALONE = readme.blocks("In containers", "sh")
REVISION, SECRETS, UP, PUBLISH, SELECT, DOWN = [line.partition("    #")[0]
                                                for line in COMPOSE.splitlines()]


class Composed:
    """What docker-compose.yml describes, by one of the two engines."""

    def __init__(self, host: ContainerHost, engine: str):
        self.host = host
        self.engine = engine
        self.folder = f"{FOLDER}-{engine}"

    def run(self, step: str) -> str:
        """What a command for Docker prints by this engine, on stdout and on stderr."""
        command = self._by_engine(step)
        said = self.host.run(f"{REVISION}\n{command}", self.folder)
        print(f"$ {command}\n{said}")
        return said

    def execute(self, service: str, command: str) -> str:
        """What a command in a container prints on stdout."""
        return self._output(f"docker compose exec -T {service} {command}")

    def status(self, step: str) -> int:
        """The exit status of a command for Docker by this engine."""
        return int(self._output(f"{step} >&2; echo $?"))

    def passwords(self) -> list[str]:
        return self._output("cat docker/secrets/*_password").split()

    def _output(self, step: str) -> str:
        return self.host.output(f"{REVISION}\n{self._by_engine(step)}", self.folder)

    def _by_engine(self, step: str) -> str:
        return re.sub(r"^docker ", f"{self.engine} ", step)

    def container(self, service: str) -> str:
        return f"kopru-{service}-1"

    def state(self, service: str) -> dict:
        """What the engine says about a container: whether it runs, and its health."""
        return json.loads(self.host.output(
            f"{self.engine} inspect --format '{{{{json .State}}}}' {self.container(service)}"))

    def health(self, service: str = "kopru") -> tuple[str, str]:
        """healthy, unhealthy or starting; and when that was asked the last time."""
        health = self.state(service)["Health"]
        return health["Status"], (health["Log"] or [{"Start": ""}])[-1]["Start"]

    def wait_for_health(self, status: str) -> None:
        wait_until(lambda: self.health()[0] == status, DEADLINE_S, f"kopru to be {status}")

    def wait_for_next_checks(self, count: int) -> None:
        for _ in range(count):
            _, last = self.health()
            wait_until(lambda seen=last: self.health()[1] != seen, DEADLINE_S, "another check")

    def sql(self, query: str) -> str:
        return self.execute("database", f'psql -U postgres -At crm -c "{query}"').strip()

    def wait_for_rows(self, count: int, condition: str) -> None:
        query = f"SELECT count(*) FROM kopru.customers WHERE {condition}"
        wait_until(lambda: self.sql(query) == str(count), DEADLINE_S,
                   f"{count} customers with {condition}")

    def publish(self, first: int, count: int) -> None:
        """Customers with ids of their own."""
        self.host.run(f"""for id in $(seq {first} {first + count - 1}); do
            printf '{{"id":"%s","name":"Container"}}' $id >/tmp/message
            docker/publish secom-customer-queue /tmp/message | grep -q '"routed":true' || exit 1
        done""", self.folder)


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerHost]:
    # The building takes longer than faulthandler_timeout; its commands have deadlines of their own.
    faulthandler.cancel_dump_traceback_later()
    with ContainerHost() as started:
        yield started


@pytest.fixture(scope="module", params=["docker", "podman"])
def composed(host: ContainerHost, request: pytest.FixtureRequest) -> Iterator[Composed]:
    """Everything is built and started by the steps of README.md, and removed at the end."""
    faulthandler.cancel_dump_traceback_later()
    started = Composed(host, request.param)
    host.copy_repository(started.folder)
    if started.engine == "podman":
        started.run(PODMAN.splitlines()[1].removeprefix("sudo "))
    started.run(SECRETS)
    try:
        started.run(UP)
        yield started
    finally:
        started.run("docker compose logs kopru")
        started.run(f"{DOWN} --volumes")


def test_a_message_flows_from_publish_to_select(composed: Composed):
    composed.wait_for_health("healthy")
    assert '"routed":true' in composed.run(PUBLISH)
    wait_until(lambda: "134719" in composed.run(SELECT), DEADLINE_S, "the sample to arrive")


def test_the_image_knows_the_revision(composed: Composed):
    revision = composed.run("git rev-parse --short=12 HEAD").strip()
    assert f"(revision {revision})" in composed.execute("kopru", "kopru --version")


def test_no_container_has_a_privilege_or_a_root_to_write_to(composed: Composed):
    for service in SERVICES:
        status = dict(re.findall(r"^(\w+):\s+(\S+)", composed.execute(service,
                                                                      "cat /proc/1/status"), re.M))
        assert status["Uid"] != "0" and status["NoNewPrivs"] == "1", service
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[name], 16) == 0, (service, name)
        for path in ("/new", "/usr/new", "/etc/new", "/var/new", "/srv/new"):
            said = composed.execute(service, f"sh -c 'touch {path} 2>&1 || true'")
            assert "Read-only file system" in said or "Permission denied" in said, (service, path)
        mounted = composed.execute(service, "cat /proc/1/mounts")
        assert re.search(r"^\S+ / \S+ ro,", mounted, re.M), service


def test_a_password_is_in_no_environment(composed: Composed):
    passwords = composed.passwords()
    assert len(passwords) == 4
    for service in SERVICES:
        said = composed.host.run(f"{composed.engine} inspect {composed.container(service)}")
        for secret in passwords:
            assert secret not in said, service


def test_an_outage_of_the_database_is_no_reason_for_a_restart(composed: Composed):
    composed.wait_for_health("healthy")
    composed.run("docker compose stop database")
    try:
        assert composed.status("docker compose exec -T kopru kopru check") == 69
        composed.wait_for_next_checks(4)
        assert composed.health()[0] == "healthy"
        composed.publish(100, 3)
    finally:
        composed.run("docker compose start database")
    wait_until(lambda: composed.health("database")[0] == "healthy", DEADLINE_S, "the database")
    composed.wait_for_rows(3, "customer_id IN ('100', '101', '102')")


def test_a_daemon_that_hangs_is_unhealthy(composed: Composed):
    composed.wait_for_health("healthy")
    container = composed.container("kopru")
    composed.run(f"docker kill --signal STOP {container}")
    try:
        composed.wait_for_health("unhealthy")
    finally:
        composed.run(f"docker kill --signal CONT {container}")
    composed.wait_for_health("healthy")


def test_the_image_runs_alone_with_files_of_its_own(composed: Composed):
    """As README.md prints it, but on the network of these servers, and only to check them."""
    words = ALONE.replace("\\\n", " ").split()
    assert words[:4] == ["docker", "run", "--detach", "--restart=unless-stopped"]
    options = " ".join(["--rm", *words[4:]])
    said = composed.run(f"docker run --network=kopru_default {options} check")
    assert "database" in said and "broker" in said


def test_down_and_up_again_lose_nothing(composed: Composed):
    composed.publish(200, 20)
    composed.wait_for_rows(20, "customer_id BETWEEN '200' AND '219'")
    composed.run("docker compose stop kopru")
    composed.publish(300, 20)
    before = composed.sql("SELECT count(*) FROM kopru.customers")
    composed.run(DOWN)
    assert composed.container("broker") not in composed.run("docker ps --all")
    composed.run(UP)
    composed.wait_for_rows(20, "customer_id BETWEEN '300' AND '319'")
    assert int(composed.sql("SELECT count(*) FROM kopru.customers")) == int(before) + 20


def test_kopru_is_not_started_if_the_migrations_fail(composed: Composed):
    secret = "docker/secrets/postgres_password"
    composed.run(DOWN)
    composed.run(f"mv {secret} {secret}.right && echo wrong >{secret}")
    try:
        assert composed.status(UP) != 0
        assert composed.state("migrations")["ExitCode"] == 2
        assert composed.state("kopru")["Status"] == "created"
    finally:
        composed.run(f"mv {secret}.right {secret}")
    composed.run(UP)
    composed.wait_for_health("healthy")
