"""What the containers run, without containers: the scripts and files of docker/ on private servers.
test_containers.py runs the containers.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pika
import psycopg
import pytest
from support import daemon, database
from support.database import REPOSITORY
from support.postgres import Postgres
from support.process import free_port, unprivileged_user
from support.rabbitmq import RabbitMQ
from support.wait import patience, wait_until

DOCKER = REPOSITORY / "docker"
QUEUES = ("secom-customer-queue", "secom-subscriptions-queue")
DEADLINE_S = 60

# As in the container: whoever comes over the network needs a password. The harness itself may look.
HBA = """\
local all all trust
host all postgres 127.0.0.1/32 trust
host all all all scram-sha-256
"""


def run(command: list[object], env: dict[str, str], status: int = 0) -> str:
    done = subprocess.run([str(word) for word in command], cwd=REPOSITORY,
                          env={**database.clean_environment(), **env},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=DEADLINE_S * patience(), check=False)
    assert done.returncode == status, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


class Broker(RabbitMQ):
    """A broker that knows the users of broker.sh only."""

    def __init__(self, definitions: Path, password: str):
        self._password = password
        super().__init__(settings={"load_definitions": str(definitions)})

    @property
    def uri(self) -> str:
        return f"amqp://erp:{self._password}@127.0.0.1:{self.port}/%2F"


@dataclass
class Composed:
    """Broker and database as docker-compose.yml has them, and the directory with the secrets."""

    directory: Path
    broker: Broker
    server: Postgres

    def secret(self, name: str) -> str:
        return (self.directory / name).read_text().strip()

    def migrate(self) -> str:
        return run([DOCKER / "migrate.sh"], {
            "SECRETS_DIR": str(self.directory), "PGHOST": "127.0.0.1",
            "PGPORT": str(self.server.port), "PGDATABASE": "crm", "PGUSER": "postgres"})


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="kopru-docker-"))
    run([DOCKER / "make-secrets", path], {})
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def composed(directory: Path) -> Iterator[Composed]:
    definitions, hba = directory / "definitions.json", directory / "pg_hba.conf"
    run([DOCKER / "broker.sh", "true"],
        {"SECRETS_DIR": str(directory), "DEFINITIONS_FILE": str(definitions)})
    assert definitions.stat().st_mode & 0o077 == 0
    hba.write_text(HBA)
    if (broker_user := unprivileged_user("rabbitmq")) is not None:
        shutil.chown(definitions, broker_user)
    password = (directory / "erp_amqp_password").read_text().strip()
    with Broker(definitions,
                password) as broker, Postgres(settings={"hba_file": f"'{hba}'"}) as server:
        with server.admin() as connection:
            connection.execute("CREATE DATABASE crm TEMPLATE template0")
        yield Composed(directory, broker, server)


@pytest.mark.no_kopru
def test_secrets_are_made_once(tmp_path: Path):
    first = run([DOCKER / "make-secrets", tmp_path / "secrets"], {})
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert len(made) == 4 and len(set(made.values())) == 4
    assert all(name in first for name in made)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert run([DOCKER / "make-secrets", tmp_path / "secrets"], {}) == ""
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made


@pytest.mark.no_kopru
def test_a_password_that_would_need_quoting_is_refused(tmp_path: Path):
    (tmp_path / "erp_amqp_password").write_text('quo"te')
    output = run([DOCKER / "broker.sh", "true"],
                 {"SECRETS_DIR": str(tmp_path),
                  "DEFINITIONS_FILE": str(tmp_path / "definitions.json")}, status=78)
    assert "erp_amqp_password" in output and "quo" not in output
    assert not (tmp_path / "definitions.json").exists()


@pytest.mark.no_kopru
def test_kopru_may_read_the_two_queues_and_nothing_else(composed: Composed):
    for queue in QUEUES:
        assert composed.broker.depth(queue).is_empty
    credentials = pika.PlainCredentials("kopru", composed.secret("kopru_amqp_password"))
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", composed.broker.port, "/",
                                                           credentials)) as connection:
        for queue in QUEUES:
            connection.channel().queue_declare(queue, passive=True)
        for forbidden in (lambda channel: channel.queue_declare("another"),
                          lambda channel: channel.queue_purge("another"),
                          lambda channel: channel.queue_delete(QUEUES[0])):
            with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
                forbidden(connection.channel())
            assert refused.value.reply_code == 403


@pytest.mark.no_kopru
def test_migrating_twice_changes_nothing_and_follows_a_new_password(composed: Composed):
    assert "kopru_writer" in composed.migrate()
    assert "applying" not in composed.migrate()
    dsn = composed.server.dsn("crm", "kopru", password=composed.secret("kopru_postgres_password"))
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT count(*) FROM kopru.customers").fetchone() == (0,)
    (composed.directory / "kopru_postgres_password").write_text("anotherone\n")
    composed.migrate()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(dsn)
    psycopg.connect(composed.server.dsn("crm", "kopru", password="anotherone")).close()


def health_check() -> list[str]:
    """The command that asks whether the container is healthy, which the image has as well."""
    text = (REPOSITORY / "docker-compose.yml").read_text()
    of_kopru = text.partition("\n  kopru:\n")[2]
    found = re.search(r"^      test: (.*)$", of_kopru, re.MULTILINE)
    assert found is not None
    kind, *command = json.loads(found[1])
    assert kind == "CMD" and command[0] == "kopru"
    image = (REPOSITORY / "Dockerfile").read_text().partition("\nHEALTHCHECK ")[2]
    assert f"CMD {json.dumps(command)}\n" in image
    return command[1:]


def test_the_daemon_runs_with_its_configuration_and_secrets(composed: Composed, tmp_path: Path):
    composed.migrate()
    private, programs = tmp_path / "private", tmp_path / "bin"
    configuration = tmp_path / "kopru.cfg"
    private.mkdir()
    programs.mkdir()
    (programs / "kopru").symlink_to(daemon.binary())
    text = (DOCKER / "kopru.cfg").read_text()
    for name, here in (("broker:5672", f"127.0.0.1:{composed.broker.port}"),
                       ("/run/kopru/", f"{private}/"),
                       ("host=database", f"host=127.0.0.1 port={composed.server.port}"),
                       ('"entities/', f'"{REPOSITORY}/etc/entities/')):
        assert name in text
        text = text.replace(name, here)
    configuration.write_text(text)
    env = {"SECRETS_DIR": str(composed.directory), "PRIVATE_DIR": str(private),
           "PATH": f"{programs}:{os.environ['PATH']}",
           "KOPRU_HTTP_LISTEN": f"127.0.0.1:{free_port()}"}
    composed.broker.publish(QUEUES[0],
                            (REPOSITORY / "tests" / "support" / "samples"
                             / "customer.json").read_bytes())

    with open(tmp_path / "log", "wb") as log:
        running = subprocess.Popen([str(DOCKER / "entrypoint.sh"), "run", "-c", str(configuration)],
                                   stderr=log, env={**database.clean_environment(), **env})
    try:
        with composed.server.admin("crm") as connection:
            wait_until(lambda: connection.execute("SELECT name FROM kopru.customers WHERE "
                                                  "customer_id = '134719'").fetchone(),
                       DEADLINE_S, f"the sample to arrive; the log: {tmp_path / 'log'}")
        assert {path.name: path.stat().st_mode & 0o077
                for path in private.iterdir()} == {"amqp_password": 0, "pgpass": 0}
        run([programs / "kopru", *health_check(), "-c", configuration], env)
    finally:
        running.terminate()
        assert running.wait(DEADLINE_S * patience()) == 0
    # The servers are there, which is not what it asks for.
    run([programs / "kopru", *health_check(), "-c", configuration], env, status=69)
