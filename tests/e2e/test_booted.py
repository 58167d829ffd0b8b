"""The package and its unit on a Debian that systemd has booted, installed as README.md says.

Each Debian is a container of podman with a broker and a database of its own (support/booted.py).
The tests of a Debian run in the order of this file, as what a site does one after the other. What
they did, and what it printed, is in build/booted-bookworm.txt and build/booted-trixie.txt.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import booted, readme
from support.booted import Machine
from support.database import REPOSITORY
from support.marks import needs_podman

pytestmark = [pytest.mark.full, pytest.mark.no_kopru, needs_podman]

QUEUES = ("secom-customer-queue", "secom-subscriptions-queue")
AMQP_PASSWORD = "erp-secret"

# What the site writes into kopru.cfg: sudo looks for editor here first.
EDITOR = """\
#!/bin/sh
exec sed -i -e 's|^    uri = .*|    uri = "amqp://kopru@127.0.0.1:5672/prod";|' \\
    -e 's|^    # password_file = .*|    password_file = "amqp-password";|' \\
    -e 's|^    conninfo = .*|    conninfo = "host=127.0.0.1 dbname=crm user=kopru '\\
'passfile=/etc/kopru/pgpass";|' "$1"
"""

DECLARE = f"""\
import pika
connection = pika.BlockingConnection(pika.ConnectionParameters(
    host="127.0.0.1", virtual_host="prod", credentials=pika.PlainCredentials("erp", "erp")))
for name in {QUEUES}:
    connection.channel().queue_declare(name, durable=True)
connection.close()
"""

SUBSCRIPTION = ('{"id": "123462", "status": "Active", "characteristic": '
                '[{"name": "CAMPAIGN", "valueType": "String", "value": "24 AY"}]}')


@dataclass
class Site:
    machine: Machine
    package: Path
    flows: int = 0  # each has ids of its own, a million of them

    def count(self, table: str) -> int:
        return int(self.machine.ask(f'psql -d crm -Atc "SELECT count(*) FROM kopru.{table}"',
                                    user="postgres"))

    def shows(self, *names: str, unit: str = "kopru") -> dict[str, str]:
        text = self.machine.ask(f"systemctl show {unit} -p {','.join(names)}")
        return dict(line.split("=", 1) for line in text.splitlines())

    def wait_for_customers(self, condition: str, first_id: int) -> None:
        self.machine.wait_for(
            f'runuser -u postgres -- psql -d crm -Atc "SELECT count(*) {condition} FROM '
            f'kopru.customers WHERE customer_id::bigint >= {first_id}"', "t")

    def wait_until_running(self, deadline_s: float = 60) -> None:
        self.machine.wait_for("systemctl show kopru -p ActiveState,SubState,StatusText",
                              "StatusText=ok\nActiveState=active\nSubState=running", deadline_s)

    def restarts(self) -> int:
        return int(self.shows("NRestarts")["NRestarts"])

    def wait_for_restart(self, before: int) -> None:
        self.machine.wait_for("systemctl show kopru -p NRestarts", f"NRestarts={before + 1}", 90)
        self.wait_until_running()

    def journal(self, *options: str) -> list[tuple[int, dict[str, object]]]:
        """Priority and event of each line of kopru."""
        text = self.machine.ask(f"journalctl --quiet -t kopru -o json {' '.join(options)}")
        lines = [json.loads(line) for line in text.splitlines()]
        return [(int(line["PRIORITY"]), json.loads(line["MESSAGE"])) for line in lines
                if line["MESSAGE"].startswith("{")]


def _prepare_servers(machine: Machine) -> None:
    """What the ERP's owner and the site have before kopru comes."""
    machine.note("\n## The site has a broker with the ERP's queues, and a database server")
    for command in ("rabbitmqctl add_vhost prod", "rabbitmqctl add_user erp erp",
                    "rabbitmqctl set_permissions -p prod erp '.*' '.*' '.*'"):
        machine.run(command)
    machine.write("/srv/declare.py", DECLARE)
    machine.run("python3 /srv/declare.py")


def _install_schema(machine: Machine, with_sqitch: bool) -> None:
    plain, sqitch, broker = readme.blocks("The schema and the logins", "sh")
    if with_sqitch:
        plain = "".join(plain.splitlines(keepends=True)[:-1]) + sqitch
    machine.run(plain, user="postgres")
    (login,) = readme.blocks("The schema and the logins", "sql")
    machine.run("psql -d crm", login, user="postgres")
    for command in broker.splitlines():
        machine.run(command, f"{AMQP_PASSWORD}\n" if "add_user" in command else "")


def _install_as_the_readme_says(machine: Machine, suite: str) -> None:
    machine.note("\n## README.md: Install")
    (block,) = readme.blocks("Install", "sh")
    install, edit, amqp_password, pgpass, start = block.splitlines()
    machine.run(install, "y\n")
    assert machine.ask("systemctl is-active kopru; systemctl is-enabled kopru") \
        == "inactive\ndisabled\n"
    _install_schema(machine, with_sqitch=suite == "trixie")
    machine.write("/usr/local/bin/editor", EDITOR, "755")
    machine.run(edit)
    machine.run(amqp_password, f"{AMQP_PASSWORD}\n")
    machine.run(pgpass, "127.0.0.1:5432:crm:kopru:...\n")
    machine.run(start)


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    suite = request.param
    package = booted.package(suite)
    with Machine(suite, REPOSITORY / f"build/booted-{suite}.txt") as machine:
        machine.run(". /etc/os-release && echo $PRETTY_NAME && systemctl --version | head -n 1")
        machine.run("sudo apt-get update --quiet")
        machine.copy_in(package, "/srv/")
        _prepare_servers(machine)
        _install_as_the_readme_says(machine, suite)
        yield Site(machine, package)


@pytest.fixture
def flow(site: Site, request: pytest.FixtureRequest) -> Iterator[None]:
    """Messages come all the time; at the end each one that was confirmed is committed."""
    site.machine.note(f"\n## {request.node.name.partition('[')[0]}, while messages come")
    site.wait_until_running()
    site.flows += 1
    first_id = site.flows * 1_000_000
    with site.machine.publisher(first_id, QUEUES[0]) as stop:
        site.wait_for_customers("> 20", first_id)
        yield
        published = stop()
    site.machine.note(f"(the broker confirmed {published:,} messages meanwhile)")
    site.wait_for_customers(f"= {published}", first_id)
    assert site.count("dead_letters") == 0


@pytest.fixture(autouse=True)
def titled(site: Site, request: pytest.FixtureRequest) -> None:
    if "flow" not in request.fixturenames:
        site.machine.note(f"\n## {request.node.name.partition('[')[0]}")


def test_it_runs_as_the_user_of_the_package(site: Site) -> None:
    site.wait_until_running()
    site.machine.run("systemctl status --no-pager --lines=0 kopru")
    assert site.machine.run("stat -c %U:%G /proc/$(systemctl show kopru --value -p MainPID)") \
        == "kopru:kopru\n"
    listed = site.machine.run("find /etc/kopru -type f -printf '%m %u:%g %p\\n' | sort -k 3")
    assert sorted(line.split()[:2] for line in listed.splitlines()) == sorted(
        [["640", "root:kopru"]] * 4 + [["600", "kopru:root"]])


@pytest.mark.usefixtures("flow")
def test_messages_flow_from_publish_to_select(site: Site) -> None:
    site.machine.run(
        "python3 -c 'import pika, sys; pika.BlockingConnection(pika.ConnectionParameters("
        'host="127.0.0.1", virtual_host="prod", credentials=pika.PlainCredentials("erp", "erp")'
        f')).channel().basic_publish("", "{QUEUES[1]}", sys.stdin.read())\'', SUBSCRIPTION)
    site.machine.wait_for("runuser -u postgres -- psql -d crm -Atc \"SELECT subscription_id, name, "
                          'value FROM kopru.subscription_characteristics"',
                          "123462|CAMPAIGN|24 AY")


@pytest.mark.usefixtures("flow")
def test_a_kill_restarts_it(site: Site) -> None:
    before = site.restarts()
    site.machine.run("systemctl kill --signal=SIGKILL kopru")
    site.wait_for_restart(before)


@pytest.mark.usefixtures("flow")
def test_the_watchdog_restarts_a_daemon_that_stands_still(site: Site) -> None:
    before = site.restarts()
    site.machine.run("systemctl kill --signal=SIGSTOP kopru")
    site.wait_for_restart(before)
    assert "Watchdog timeout" in site.machine.run(
        "journalctl --quiet --no-pager -u kopru -g 'Watchdog timeout'")
    assert not site.machine.ask("find / -xdev -name 'core*kopru*'").strip()


@pytest.mark.usefixtures("flow")
def test_a_new_password_is_used_at_the_next_connect(site: Site) -> None:
    machine, pid = site.machine, site.shows("MainPID")["MainPID"]
    _, _, amqp_password, pgpass, _ = readme.blocks("Install", "sh")[0].splitlines()
    machine.run("rabbitmqctl change_password kopru another-secret")
    machine.run(amqp_password, "another-secret\n")
    machine.run("psql -d crm -c \"ALTER ROLE kopru PASSWORD 'another'\"", user="postgres")
    machine.run(pgpass, "127.0.0.1:5432:crm:kopru:another\n")
    connected = len([1 for _, line in site.journal() if line["event"] == "consuming"])
    machine.run("rabbitmqctl close_all_user_connections kopru 'a test'")
    machine.run('psql -d crm -Atc "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity '
                "WHERE usename = 'kopru'\"", user="postgres")
    machine.wait_for("journalctl --quiet -t kopru -o cat | grep -c '\"event\":\"consuming\"'",
                     lambda text: int(text or 0) >= connected + len(QUEUES))
    site.wait_until_running()
    assert site.shows("MainPID")["MainPID"] == pid
    machine.run("sudo -u kopru kopru check", status=0)


def test_a_wrong_configuration_is_no_restart_loop(site: Site) -> None:
    machine = site.machine
    machine.run("sed -i.good 's/^queues = /quues = /' /etc/kopru/kopru.cfg")
    machine.run("systemctl restart kopru", status=1)
    # After a failure that is tried again the state would be activating, and SubState auto-restart.
    machine.wait_for("systemctl show kopru -p ActiveState,SubState,Result,ExecMainStatus,NRestarts",
                     "Result=exit-code\nNRestarts=0\nExecMainStatus=78\nActiveState=failed\n"
                     "SubState=failed")
    why = machine.run("journalctl --quiet --no-pager -t kopru -p err -n 5 -o cat")
    assert "kopru: " in why and "quues" in why
    assert machine.run("sudo -u kopru kopru check", status=78)
    machine.run("mv /etc/kopru/kopru.cfg.good /etc/kopru/kopru.cfg")
    machine.run("systemctl start kopru")
    site.wait_until_running()


def test_the_journal_knows_the_warnings(site: Site) -> None:
    machine, pid = site.machine, site.shows("MainPID")["MainPID"]
    machine.run("systemctl stop postgresql && systemctl kill --signal=SIGHUP kopru")
    machine.wait_for(f"journalctl --quiet _PID={pid} -p warning -o cat | grep -o "
                     "-e hangup_ignored -e database_unavailable | sort -u",
                     "database_unavailable\nhangup_ignored")
    machine.run("systemctl start postgresql")
    site.wait_until_running()
    machine.run(f"journalctl --quiet --no-pager _PID={pid} -p warning -o cat")
    levels = {"error": 3, "warning": 4, "info": 6}
    everything = site.journal()
    assert {line["level"] for _, line in everything} >= {"warning", "info"}
    assert [line for priority, line in everything if priority != levels[str(line["level"])]] == []
    assert site.journal("-p warning") == [(priority, line) for priority, line in everything
                                          if line["level"] in ("error", "warning")]


STANDBY = "/etc/systemd/system/kopru-standby.service"


@pytest.fixture
def standby(site: Site) -> Iterator[None]:
    """A second unit on the same host."""
    machine = site.machine
    machine.run("sed 's|^ExecStart=.*|&\\nEnvironment=KOPRU_HTTP_LISTEN=127.0.0.1:9188|' "
                f"/usr/lib/systemd/system/kopru.service >{STANDBY} && systemctl daemon-reload")
    machine.run("systemctl start kopru-standby")
    yield
    machine.run(f"systemctl stop kopru-standby && rm {STANDBY} && systemctl daemon-reload")


@pytest.mark.usefixtures("flow", "standby")
def test_a_second_unit_sees_that_the_first_died(site: Site) -> None:
    """It asks /proc, so it has not to wait for what the broker may still hold for the first."""
    machine = site.machine
    pids = [site.shows("MainPID", unit=unit)["MainPID"] for unit in ("kopru", "kopru-standby")]
    assert machine.run(f"nsenter --target {pids[1]} --mount --user --setuid $(id -u kopru) "
                       f"cut -c 1-20 /proc/{pids[0]}/stat").startswith(f"{pids[0]} (kopru)")
    machine.run("systemctl kill --signal=SIGKILL kopru && systemctl stop kopru")
    said = f"journalctl --quiet -u kopru-standby _PID={pids[1]} -o cat"
    machine.wait_for(f"{said} | grep -c '\"event\":\"consuming\"'", str(len(QUEUES)), 30)
    assert "waiting_for_predecessor" not in machine.ask(said)
    machine.run("systemctl start kopru")


def test_the_unit_stays_hardened(site: Site) -> None:
    text = site.machine.run("systemd-analyze security --no-pager kopru | tail -n 1")
    assert float(text.split("kopru.service: ")[1].split()[0]) <= 1.5


def test_it_starts_with_the_machine(site: Site) -> None:
    before = site.count("customers")
    site.machine.reboot()
    site.wait_until_running()
    assert site.count("customers") == before


CHANGED = {"/etc/kopru/kopru.cfg": "# A line of the newer package.",
           "/etc/kopru/entities/customer.cfg": "# A line of the newer package."}


@pytest.mark.usefixtures("flow")
def test_an_upgrade_loses_nothing_and_keeps_the_configuration(site: Site, tmp_path: Path) -> None:
    machine, pid = site.machine, site.shows("MainPID")["MainPID"]
    newer = booted.newer(site.package, tmp_path, CHANGED)
    machine.run("mkdir -p newer")
    machine.copy_in(newer, "/srv/newer/")
    machine.run("cp /etc/kopru/kopru.cfg kopru.cfg.before")
    machine.run("sudo apt install ./newer/kopru_*.deb", "\n")  # Enter: to keep it
    assert machine.run("dpkg-query -W kopru").split() == ["kopru", "99.0-1"]
    machine.run("cmp kopru.cfg.before /etc/kopru/kopru.cfg && ls -l /etc/kopru/kopru.cfg*")
    machine.run("tail -n 1 /etc/kopru/entities/customer.cfg | grep 'A line of the newer package'")
    site.wait_until_running()
    assert site.shows("MainPID")["MainPID"] not in ("0", pid)
    assert machine.ask("stat -c '%a %U:%G' /etc/kopru/kopru.cfg /etc/kopru/entities/*.cfg").split(
        "\n")[:-1] == ["640 root:kopru"] * 3


def test_a_removal_keeps_the_configuration(site: Site) -> None:
    machine = site.machine
    machine.run("sudo apt remove kopru", "y\n")
    machine.wait_for("systemctl is-active kopru", "inactive")
    assert machine.run("ls /etc/kopru").split() == ["amqp-password", "entities", "kopru.cfg",
                                                    "kopru.cfg.dpkg-dist", "pgpass"]
    machine.run("test ! -e /usr/bin/kopru && test ! -e /usr/lib/systemd/system/kopru.service")
    machine.run("id kopru")
    machine.run("sudo apt install ./newer/kopru_*.deb", "y\n")
    machine.run("systemctl is-enabled kopru")
    machine.run("sudo -u kopru kopru check && sudo systemctl enable --now kopru")
    site.wait_until_running()


def test_a_purge_leaves_the_user_and_no_file(site: Site) -> None:
    machine = site.machine
    machine.run("sudo apt purge kopru", "y\n")
    assert machine.run("find / -xdev -name '*kopru*' -not -path '/srv/*'") == ""
    machine.run("id kopru")
    assert machine.run("systemctl --failed --no-legend") == ""
