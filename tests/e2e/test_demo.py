"""The demo: it ends well, shows what it promises, and leaves nothing behind, however it ends."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from support.database import REPOSITORY
from support.wait import patience, wait_until

DEADLINE_S = 120

SAMPLE_CUSTOMER = ("134719", "Active", "Customer Name Here")
SAMPLE_MEDIUM = (1, "İSTANBUL(Anadolu)", "Türkiye", "içerenköy", "5xxxxxxxxx", "11111111111")
REASONS = ("contains_nul", "invalid_id", "invalid_structure", "invalid_unicode", "missing_id",
           "not_json", "not_object", "rejected_by_database", "too_deep", "too_large")


@pytest.fixture
def tmp() -> Iterator[Path]:
    """A temporary directory of the demo's own, which its servers' users can reach."""
    path = Path(tempfile.mkdtemp(prefix="kd-"))
    path.chmod(0o755)
    yield path
    subprocess.run(demo_command("--stop"), env=environment(path), capture_output=True,
                   timeout=DEADLINE_S, check=False)
    shutil.rmtree(path, ignore_errors=True)


def demo_command(*arguments: str) -> list[str]:
    return [sys.executable, str(REPOSITORY / "tools" / "demo.py"), *arguments]


def environment(tmp: Path, columns: int = 120) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(tmp), "COLUMNS": str(columns)}


def run_demo(tmp: Path, *arguments: str, stdin: bytes = b"",
             columns: int = 120) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(demo_command(*arguments), input=stdin.decode(),
                          env=environment(tmp, columns), capture_output=True, encoding="utf-8",
                          timeout=DEADLINE_S * patience(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def processes_of(tmp: Path) -> list[str]:
    """Those whose command line or working directory lies below the demo's temporary directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0",
                                                                 b" ").decode(errors="replace")
            where = os.readlink(process / "cwd")
        except OSError:
            continue
        if command and (str(tmp) in command or where.startswith(f"{tmp}/")):
            found.append(f"{process.name}: {command}")
    return found


def require_nothing_left(tmp: Path) -> None:
    # The probe that asked the broker ends by itself, a moment after its parent.
    wait_until(lambda: not processes_of(tmp), 10, "the demo's processes to be gone")
    assert list(tmp.iterdir()) == []


def lines_of(text: str) -> list[list[str]]:
    """The cells of each line of psql's tables, and other lines as one cell."""
    return [[cell.strip() for cell in line.split("│")] for line in text.splitlines()]


def test_it_shows_the_samples_and_leaves_nothing(tmp: Path):
    output = run_demo(tmp, "--messages", "400").stdout
    lines = lines_of(output)
    assert [*SAMPLE_CUSTOMER, "{}"] in lines
    assert [str(cell) for cell in SAMPLE_MEDIUM] in lines
    for line in (["name", "RAMAZAN ÖZEKİNCİ"], ["completion_start_date", "2021-08-13"],
                 ["completion_end_date", "2023-08-16"],
                 ["CAMPAIGN", "24 AY TAAHHÜTLÜ", "", ""],
                 ["MONTAGE_DATE", "2021-08-16", "2021-08-16", ""],
                 ["TOTAL_PAST_DUE_INSTALMENT", "0.0", "", "0.0"], ["123462", "134719", "1", ""]):
        assert line in lines
    assert {line[2] for line in lines if len(line) == 4
            and line[0] in ("customer", "subscription")} == set(REASONS)
    counts = dict(re.findall(r"^  (\w+) +([\d,]+) +\2$", output, re.M))
    assert counts.keys() == {"customers", "contact_mediums", "subscriptions",
                             "subscription_characteristics", "engaged_parties", "dead_letters"}
    assert counts["customers"] == "122"  # 120 generated, the sample, and the one that came late
    assert re.search(r"messages in the tables, [\d,]+ a second", output)
    require_nothing_left(tmp)


def test_ctrl_c_in_the_middle_leaves_nothing(tmp: Path):
    with subprocess.Popen(demo_command("--messages", "400"), env=environment(tmp),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding="utf-8", bufsize=1) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("  publish"):
                break
        assert processes_of(tmp)
        demo.send_signal(signal.SIGINT)
        _, errors = demo.communicate(timeout=DEADLINE_S * patience())
    assert demo.returncode == 130
    assert "interrupted" in errors and "Traceback" not in errors
    require_nothing_left(tmp)


@pytest.mark.no_kopru
@pytest.mark.parametrize("delay_s", [0.0, 0.1, 0.2, 0.4])
def test_ctrl_c_at_the_very_beginning_is_answered_in_a_word(delay_s: float, tmp: Path):
    """Whenever it comes: ./dev has it ignored until the demo looks at it."""
    with subprocess.Popen(["sh", "-c", 'trap "" INT; exec "$@"', "sh",
                           *demo_command("--messages", "400")], env=environment(tmp),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as demo:
        interpreter = os.path.basename(os.path.realpath(sys.executable))
        wait_until(lambda: os.readlink(f"/proc/{demo.pid}/exe").endswith(interpreter), 10,
                   "the interpreter")
        end = time.monotonic() + delay_s
        while demo.poll() is None:
            if time.monotonic() >= end:
                demo.send_signal(signal.SIGINT)
            time.sleep(0.02)
        _, errors = demo.communicate(timeout=DEADLINE_S * patience())
    assert demo.returncode == 130
    assert "interrupted" in errors and "Traceback" not in errors
    require_nothing_left(tmp)


def test_a_failing_step_says_what_and_where_the_logs_are(tmp: Path):
    programs = tmp / "programs"
    programs.mkdir()
    (programs / "sqitch").write_text("#!/bin/sh\necho 'no deploying today' >&2\nexit 3\n")
    (programs / "sqitch").chmod(0o755)
    env = {**environment(tmp), "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(demo_command(), env=env, capture_output=True, encoding="utf-8",
                          timeout=DEADLINE_S * patience(), check=False)
    assert done.returncode == 1
    assert "installing the schema failed: sqitch deploy ended with status 3" in done.stderr
    assert "no deploying today" in done.stderr
    logs = Path(done.stderr.split()[-1])
    assert "PostgreSQL" in (logs / "postgres.log").read_text()
    wait_until(lambda: not processes_of(tmp), 10, "the demo's processes to be gone")
    assert sorted(tmp.iterdir()) == sorted([programs, logs])


def test_unknown_arguments_are_refused(tmp: Path):
    done = subprocess.run(demo_command("--leave"), env=environment(tmp), capture_output=True,
                          encoding="utf-8", check=False)
    assert done.returncode == 64
    assert "--leave" in done.stderr


def test_kept_it_can_be_looked_at_written_to_and_stopped(tmp: Path):
    output = run_demo(tmp, "--keep", "--messages", "100", columns=80).stdout
    assert [line for line in output.splitlines() if len(line) > 80] == []
    (dsn,) = re.findall(r"psql '(.+)'$", output, re.M)
    with psycopg.connect(dsn, autocommit=True) as connection:
        for zone in ("Europe/Istanbul", "UTC", "America/New_York"):
            connection.execute(f"SET timezone = '{zone}'")
            require_samples(connection)
        looked = connection.execute("SELECT status FROM kopru.customers WHERE customer_id "
                                    "= '134719'").fetchone()
        assert looked == ("Active",)

        (endpoint,) = re.findall(r"curl '(http://\S+verbose)'", output)
        with urllib.request.urlopen(endpoint, timeout=DEADLINE_S) as answer:
            assert b"readyz check passed" in answer.read()

        (by_hand,) = re.findall(r"echo '(.+)' \|\s+\./dev demo (--publish \S+)", output)
        run_demo(tmp, *by_hand[1].split(), stdin=by_hand[0].encode())
        wait_until(lambda: connection.execute("SELECT status, name FROM kopru.customers WHERE "
                                              "customer_id = '134719'").fetchone()
                   == ("Passive", "Customer Name Here"), 30,
                   "the message published by hand to arrive")

    second = subprocess.run(demo_command("--keep"), env=environment(tmp), capture_output=True,
                            encoding="utf-8", check=False)
    assert second.returncode == 1 and "--stop" in second.stderr

    assert "./dev demo --stop" in output
    run_demo(tmp, "--stop")
    require_nothing_left(tmp)
    assert "nothing was left running" in run_demo(tmp, "--stop").stdout


def require_samples(connection: psycopg.Connection) -> None:
    def rows(statement: str) -> list[tuple]:
        return connection.execute(statement).fetchall()

    assert rows("SELECT customer_id, status, name FROM kopru.customers "
                "WHERE customer_id = '134719'") == [SAMPLE_CUSTOMER]
    assert rows("SELECT position, city, country, street1, phone_number, social_network_id FROM "
                "kopru.contact_mediums "
                "WHERE customer_id = '134719'") == [SAMPLE_MEDIUM]
    assert rows("SELECT agreement_type, document_number, name, status, "
                "completion_start_date::text, completion_end_date::text "
                "FROM kopru.subscriptions WHERE subscription_id = '123462'") == [
        ("Kiralama", "108999", "RAMAZAN ÖZEKİNCİ", "Active", "2021-08-13", "2023-08-16")]
    assert rows("SELECT name, value, value_date::text, value_numeric::text FROM "
                "kopru.subscription_characteristics "
                "WHERE subscription_id = '123462' ORDER BY name COLLATE \"C\"") == [
        ("CAMPAIGN", "24 AY TAAHHÜTLÜ", None, None),
        ("MONTAGEADRESS", "PINAR MAH. ONDOKUZ MAYIS BLV. AK TOWERS NO:42 İÇ KAPI NO:84", None,
         None),
        ("MONTAGECITY", "İSTANBUL(Avrupa)", None, None),
        ("MONTAGECOUNTY", "ESENYURT", None, None),
        ("MONTAGE_DATE", "2021-08-16", "2021-08-16", None),
        ("PANELBRAND", "EBS", None, None),
        ("PANELMODEL", "CPX-300W", None, None),
        ("PANELNO", "1065885", None, None),
        ("SALESEMP", "ÜMİT", None, None),
        ("STAGE", "6 - Sinyal Alımı Gerçekleşti", None, None),
        ("TOTAL_PAST_DUE_INSTALMENT", "0.0", None, "0.0"),
    ]
    assert rows("SELECT customer_id, occurrence FROM kopru.engaged_parties WHERE subscription_id "
                "= '123462'") == [("134719", 1)]
