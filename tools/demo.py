#!/usr/bin/python3
"""The main job on real servers: from notifications in RabbitMQ to rows in PostgreSQL.

Started by ./dev demo. Everything is private and temporary: servers in directories of their own, on
free ports of 127.0.0.1, not as root. At the end, also after Ctrl-C, all of it is stopped and
removed.
"""

import argparse
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn


def leave_before_the_start(number: int, _frame: FrameType | None) -> None:
    """What is imported below takes most of a second, and nothing has to be cleaned up yet."""
    print("\ndemo: interrupted before anything was started", file=sys.stderr)
    os._exit(128 + number)


for ending in (signal.SIGINT, signal.SIGTERM):
    signal.signal(ending, leave_before_the_start)

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import pika  # noqa: E402
import psycopg  # noqa: E402
from demo.kept import KeptDemo, KeptError  # noqa: E402
from demo.messages import CUSTOMERS, ENTITIES, Publication, compose, expected_rows  # noqa: E402
from demo.screen import Screen  # noqa: E402
from demo.stage import Stage  # noqa: E402
from demo.tables import Table, parts_of  # noqa: E402
from support import database, daemon  # noqa: E402
from support.process import unwind_on_signals  # noqa: E402

_SQL = Path(__file__).resolve().parent / "demo"
_WORK_DEADLINE_S = 300
_SERVICE_UNAVAILABLE = 69
_USAGE = 64


class Failure(Exception):
    """A step failed."""

    def __init__(self, doing: str, why: object):
        super().__init__(f"{doing} failed: {str(why).strip()}")


@contextmanager
def failing_as(doing: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, OSError, psycopg.Error, pika.exceptions.AMQPError) as error:
        raise Failure(doing, error) from error


def start_and_install(screen: Screen, stage: Stage) -> None:
    with failing_as("starting PostgreSQL"), screen.step("database", "starting PostgreSQL") as step:
        stage.launch_servers()
        stage.server.wait_until_ready()
        step.done(f"PostgreSQL {stage.server_version()}, private, on port {stage.server.port}")
    with (failing_as("installing the schema"),
          screen.step("schema", "sql/roles.sql, then sqitch deploy") as step):
        migrations = stage.install()
        step.done(f"{len(migrations)} migrations with Sqitch as kopru_owner; login "
                  f"{database.DAEMON} may only write rows")
    with failing_as("starting RabbitMQ"), screen.step("broker", "starting RabbitMQ") as step:
        stage.broker.wait_until_ready()
        step.done(f"RabbitMQ {stage.broker_version()}, private, on port {stage.broker.port}")


def publish_all(screen: Screen, stage: Stage, publication: Publication) -> None:
    with failing_as("publishing"), screen.step("publish", "declaring the queues") as step:
        confirmed = 0

        def on_confirm(_number: int) -> None:
            nonlocal confirmed
            confirmed += 1
            step.progress(confirmed, len(publication), "confirmed")

        for queue, bodies in publication.bodies.items():
            stage.broker.declare_queue(queue)
            stage.broker.publish_many(queue,
                                      ((body, {"content_type": "application/json"})
                                       for body in bodies), on_confirm)
        step.done(f"{publication.samples} samples as the ERP prints them, "
                  f"{publication.generated:,} generated, "
                  f"{publication.broken} broken")


def consume_all(screen: Screen, stage: Stage, total: int) -> float:
    """Run the daemon until the queues are empty; messages per second, its start included."""
    with failing_as("running kopru"), screen.step("kopru", f"{daemon.binary().name} run") as step:
        stage.unfinished()  # the first question takes long, and must not count
        kopru = stage.launch_kopru()

        def is_done() -> bool:
            unfinished = stage.unfinished()
            step.progress(total - unfinished, total, "acknowledged")
            return unfinished == 0

        kopru.wait_until(is_done, _WORK_DEADLINE_S, "the queues to be empty")
        seconds = step.seconds()
        step.done(f"{total:,} messages in the tables, {total / seconds:,.0f} a second (a demo's "
                  "figure, no benchmark)")
    return total / seconds


def publish_late_customer(screen: Screen, stage: Stage, body: bytes) -> None:
    """The queues have no order between them: a subscription may come before its customer."""
    waiting = "SELECT count(*) FROM kopru.engaged_parties_without_customer"
    with (failing_as("publishing the late customer"),
          screen.step("late", "a customer after its subscription") as step):
        before = stage.database.value(waiting)
        stage.broker.publish(CUSTOMERS, body, content_type="application/json")
        stage.kopru.wait_until(lambda: stage.unfinished() == 0, _WORK_DEADLINE_S,
                               "the late customer to be written")
        after = stage.database.value(waiting)
        if not before or after:
            raise RuntimeError(f"engaged_parties_without_customer showed {before} rows before the "
                               f"customer, {after} after")
        step.done(f"a subscription came before its customer (engaged parties without one: "
                  f"{before}), now it came ({after})")


def show(screen: Screen, stage: Stage, file: str) -> None:
    """Draw the results of a file, which psql could run too, for this terminal."""
    with failing_as(f"showing {file}"), stage.database.admin() as connection:
        space = ""
        for part in parts_of((_SQL / file).read_text(encoding="utf-8")):
            if part.title:
                screen.line(space + part.title)
                space = "\n"
            elif (table := Table.of(connection, part.statement)) is not None:
                screen.table(table, part.as_records)


def show_counts(screen: Screen, stage: Stage, publication: Publication, late: bytes) -> list[str]:
    """Show the rows of each table and what the payloads add up to; returns what differs."""
    expected = {**expected_rows(publication, late), "dead_letters": publication.broken}
    wrong = []
    screen.line(f"  {'table':<30}{'rows':>10}{'expected':>12}")
    for table, rows in expected.items():
        found = stage.database.value(f"SELECT count(*) FROM kopru.{table}")
        screen.line(f"  {table:<30}{found:>10,}{rows:>12,}")
        if found != rows:
            wrong.append(f"{table} has {found:,} rows, expected {rows:,}")
    reasons = Counter(dict(stage.database.query("SELECT reason, sum(occurrences)::int FROM "
                                                "kopru.dead_letters GROUP BY 1")))
    if reasons != publication.reasons:
        wrong.append(f"dead letters by reason: {dict(reasons)}, expected "
                     f"{dict(publication.reasons)}")
    return wrong


def stop_kopru(screen: Screen, stage: Stage) -> None:
    with failing_as("stopping kopru"), screen.step("stop", "SIGTERM") as step:
        status = stage.kopru.terminate()
        if status != 0:
            raise RuntimeError(f"kopru ended with status {status}\n{stage.kopru.tail()}")
        step.done("SIGTERM: kopru ended with status 0")


def tell_how_to_look_around(screen: Screen, stage: Stage) -> None:
    screen.heading("Everything keeps running")
    screen.line(f"""
  database   psql '{stage.database.admin_dsn}'
  broker     {stage.broker.uri}
  kopru      process {stage.kopru.pid}
             configuration {stage.kopru.config_path}
             log {stage.kopru.stderr_path}
             curl 'http://{stage.endpoint}/readyz?verbose'
             curl 'http://{stage.endpoint}/metrics'

Look around, in psql:
  \\d+ kopru.customers
  select * from kopru.contact_mediums where customer_id = '134719';
  set timezone = 'America/New_York';
  select completion_start, completion_start_date from kopru.subscriptions
   where subscription_id = '123462';
  select name, value, value_date, value_numeric
    from kopru.subscription_characteristics where subscription_id = '123462';
  select entity, entity_id, reason, detail from kopru.dead_letters
   where status = 'open';
  select queue, last_message_at, last_commit_at from kopru.queues;

Publish a message by hand, then look again:
  echo '{{"id":"134719","status":"Passive"}}' |
    ./dev demo --publish {CUSTOMERS}

Stop all of it and remove it:
  ./dev demo --stop""")


def run_demo(screen: Screen, keep: bool, messages: int, seed: int) -> int:
    publication, late = compose(messages, seed)
    screen.line("kopru demo: a private RabbitMQ and a private PostgreSQL, from publish to SELECT\n")
    with Stage(keep) as stage:
        try:
            start_and_install(screen, stage)
            publish_all(screen, stage, publication)
            consume_all(screen, stage, len(publication))
            publish_late_customer(screen, stage, late)
            screen.heading("The two notifications that the ERP's owner prints, as rows\n")
            show(screen, stage, "samples.sql")
            screen.heading("The broken messages: dead letters, each with its reason (payloads stay "
                           "in the column body)\n")
            show(screen, stage, "dead_letters.sql")
            screen.heading("All rows, beside what the published payloads add up to\n")
            wrong = show_counts(screen, stage, publication, late)
            if wrong:
                raise Failure("the check of the counts", "; ".join(wrong))
            screen.line()
            if keep:
                tell_how_to_look_around(screen, stage)
                stage.keep_running()
            else:
                stop_kopru(screen, stage)
        except Failure as failure:
            print(f"demo: {failure}\ndemo: the logs are in {stage.save_logs()}", file=sys.stderr)
            return 1
    if not keep:
        screen.line("\nAll of it is stopped and removed. ./dev demo --keep leaves it running, to "
                    "look around.")
    return 0


def stop_kept() -> int:
    kept = KeptDemo.load()
    if kept is None:
        print("demo: nothing was left running")
        return 0
    kept.stop()
    print("demo: stopped and removed")
    return 0


def publish_by_hand(queue: str) -> int:
    kept = KeptDemo.load()
    if kept is None or not kept.is_running():
        print("demo: there is no demo to publish to; ./dev demo --keep leaves one running",
              file=sys.stderr)
        return _SERVICE_UNAVAILABLE
    body = sys.stdin.buffer.read()
    with pika.BlockingConnection(pika.URLParameters(kept.amqp_uri)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        properties = pika.BasicProperties(delivery_mode=2, content_type="application/json")
        channel.basic_publish("", queue, body, properties, mandatory=True)
    print(f"demo: {len(body)} bytes published to {queue}, and confirmed")
    return 0


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(_USAGE, f"demo: {message}\n")


def arguments() -> argparse.Namespace:
    parser = Parser(prog="./dev demo",
                    description="The main job on private servers, from publish to SELECT.")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--keep", action="store_true",
                        help="leave servers and daemon running, and say how to look around")
    action.add_argument("--stop", action="store_true",
                        help="stop and remove what --keep left running")
    action.add_argument("--publish", metavar="QUEUE", choices=ENTITIES,
                        help="publish standard input to what --keep left running")
    parser.add_argument("--messages", type=int, default=8000,
                        help="how many messages to generate (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1,
                        help="another seed, other messages (default %(default)s)")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    unwind_on_signals()
    try:
        if options.stop:
            return stop_kept()
        if options.publish:
            return publish_by_hand(options.publish)
        kept = KeptDemo.load()
        if options.keep and kept is not None and kept.is_running():
            print("demo: one is running already; ./dev demo --stop ends it", file=sys.stderr)
            return 1
        return run_demo(Screen(), options.keep, options.messages, options.seed)
    except (KeptError, OSError, pika.exceptions.AMQPError) as error:
        print(f"demo: {error!r}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; all that it started is stopped and removed", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
