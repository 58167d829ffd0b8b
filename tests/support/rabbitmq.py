"""A private RabbitMQ broker."""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pika

from support import privacy
from support.bulk_publisher import BulkPublisher, Message
from support.process import Child, as_user, free_port, make_directory, unprivileged_user
from support.wait import patience, wait_until

# Debian's wrappers in /usr/sbin insist on root or the user rabbitmq; the scripts they call do not.
_BIN = Path("/usr/lib/rabbitmq/bin")
_START_DEADLINE_S = 120
_COMMAND_DEADLINE_S = 120
_CLIENT_HEARTBEAT_S = 600

_CONFIGURATION = """\
listeners.tcp.local = 127.0.0.1:{port}
log.console = true
log.console.level = info
log.file = false
disk_free_limit.absolute = 50MB
"""
ERL_ARGUMENTS = "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"

# Reads one queue name a line, answers each with one line. It asks the queue's own process, or a
# quorum queue's leader, so the numbers are exact and come at once; rabbitmqctl starts a virtual
# machine for every question, and shows a quorum queue as it was up to five seconds ago.
_PROBE = r"""
Node = list_to_atom(os:getenv("PROBE_NODE")),
Call = fun(Module, Function, Arguments) -> rpc:call(Node, Module, Function, Arguments) end,
Count = fun(Leader, Query) ->
    {ok, {_, Number}, _} = Call(ra, leader_query, [Leader, {rabbit_fifo, Query, []}]),
    Number
end,
Numbers = fun(Queue) ->
    case Call(amqqueue, get_type, [Queue]) of
        rabbit_quorum_queue ->
            Leader = Call(amqqueue, get_pid, [Queue]),
            [Count(Leader, Query) || Query <-
                [query_messages_ready, query_messages_checked_out, query_consumer_count]];
        _ ->
            Keys = [messages_ready, messages_unacknowledged, consumers],
            [Number || {_, Number} <- Call(rabbit_amqqueue, info, [Queue, Keys])]
    end
end,
Ask = fun(Name) ->
    case Call(rabbit_amqqueue, lookup, [Call(rabbit_misc, r, [<<"/">>, queue, Name])]) of
        {ok, Queue} ->
            [Ready, Unacked, Consumers] = Numbers(Queue),
            io_lib:format("~b ~b ~b", [Ready, Unacked, Consumers]);
        {error, not_found} -> "missing"
    end
end,
Loop = fun Loop() ->
    case io:get_line("") of
        eof -> halt(0);
        Line ->
            Name = unicode:characters_to_binary(string:trim(Line, trailing, "\n")),
            io:format("~s~n", [try Ask(Name) catch _:_ -> "down" end]),
            Loop()
    end
end,
Loop().
"""


@dataclass(frozen=True)
class Depth:
    """What a queue holds, ready and unacknowledged messages, and how many consumers it has."""

    ready: int
    unacked: int
    consumers: int

    @property
    def is_empty(self) -> bool:
        return self.ready == 0 and self.unacked == 0


class RabbitMQ:
    """One broker with its own epmd, cookie and directory, listening on 127.0.0.1 only.

    Ports and data stay the same over stop and start; release() removes all.

        with RabbitMQ() as broker:
            broker.declare_queue("q")
            broker.publish("q", b"{}")
    """

    def __init__(self, *, settings: dict[str, str] | None = None, keep: bool = False):
        """settings are further lines of rabbitmq.conf. keep: the broker outlives this program."""
        self.user = unprivileged_user("rabbitmq")
        self.directory = make_directory("kopru-mq-", self.user)
        self.port = free_port()
        self._keep = keep
        self._version: tuple[int, ...] | None = None
        self._node = f"kopru-{self.port}@localhost"
        self._epmd_port = free_port()
        self._dist_port = free_port()
        self._epmd = Child("epmd", self.directory / "epmd.log", self.user)
        self._child = Child("rabbitmq", self.directory / "broker.log", self.user)
        self._probe: subprocess.Popen[str] | None = None
        self._write_files(settings or {})

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def epmd_pid(self) -> int:
        return self._epmd.pid

    @property
    def log_path(self) -> Path:
        return self._child.log_path

    @property
    def uri(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def __enter__(self) -> "RabbitMQ":
        try:
            self.start()
        except BaseException:
            self.release()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.release()

    def _write_files(self, settings: dict[str, str]) -> None:
        text = _CONFIGURATION.format(port=self.port)
        text += "".join(f"{key} = {value}\n" for key, value in settings.items())
        for name, content in (
            ("rabbitmq.conf", text), ("enabled_plugins", "[].\n"),
            (".erlang.cookie", secrets.token_hex(16)),
        ):
            path = self.directory / name
            path.write_text(content, encoding="utf-8")
            path.chmod(0o400)
            if self.user is not None:
                shutil.chown(path, self.user)

    def environment(self) -> dict[str, str]:
        """Of its programs; of an Erlang node that is to reach it, too."""
        here = self.directory
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(here),
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_BASE": str(here),
            "RABBITMQ_MNESIA_BASE": str(here / "mnesia"),
            "RABBITMQ_LOG_BASE": str(here),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(here / "pid"),
            "RABBITMQ_CONFIG_FILE": str(here / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERL_ARGUMENTS,
            "RABBITMQ_CTL_ERL_ARGS": ERL_ARGUMENTS,
            # The start script then becomes the broker instead of staying its parent, so the child's
            # process id is the broker's.
            "RABBITMQ_ALLOW_INPUT": "1",
            "PROBE_NODE": self._node,
        }

    def launch(self) -> None:
        """Begin to start, without waiting."""
        env = self.environment()
        death_signal = None if self._keep else "TERM"
        if not self._epmd.is_running():
            self._epmd.launch(["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"],
                              env, self.directory, death_signal)
            wait_until(lambda: self._listens(self._epmd_port), 10, "epmd to listen")
        self._child.launch([str(_BIN / "rabbitmq-server"), "-noinput"], env, self.directory,
                           death_signal)

    def wait_until_ready(self) -> None:
        wait_until(self.answers, _START_DEADLINE_S, f"RabbitMQ to answer on port {self.port}")

    def start(self) -> None:
        self.launch()
        self.wait_until_ready()

    def stop(self) -> None:
        """Shut down in an orderly way; what was confirmed is on disk."""
        self._close_clients()
        self._child.stop(signal.SIGTERM)
        self._epmd.stop(signal.SIGTERM)

    def restart(self) -> None:
        self.stop()
        self.start()

    def save_definitions(self) -> None:
        """Write all declarations to disk: a broker that is killed soon after one may forget it. A
        quorum queue is registered in a table of Ra as well, without which it gets no leader.
        RabbitMQ 4.3 runs no Mnesia: it has written what it answered, and dump_log does nothing.
        """
        self.rabbitmqctl("eval", "mnesia:dump_log(), [dets:sync(T) || T <- dets:all()].")

    def kill9(self) -> None:
        self._child.kill9()
        self._close_clients()

    def release(self) -> None:
        """Stop and remove everything. May be called twice."""
        self._close_clients()
        self._child.kill9()
        self._epmd.stop(signal.SIGTERM)
        shutil.rmtree(self.directory, ignore_errors=True)

    def is_running(self) -> bool:
        return self._child.is_running()

    @property
    def version(self) -> tuple[int, ...]:
        """As it says to each client: (4, 0, 5)."""
        if self._version is None:
            with self.connect() as connection:
                properties = connection._impl.server_properties
            self._version = tuple(int(part) for part in re.findall(r"\d+", properties["version"]))
        return self._version

    def _listens(self, port: int) -> bool:
        self._epmd.require_running()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            return False
        return True

    def answers(self) -> bool:
        """Whether it takes connections; RuntimeError if it ended."""
        self._child.require_running()
        if not self._listens(self.port):
            return False
        try:
            self.connect().close()
        except pika.exceptions.AMQPConnectionError:
            return False
        return True

    def rabbitmqctl(self, *arguments: str) -> str:
        """Run rabbitmqctl against this broker; its output, or RuntimeError with it."""
        return self._run("rabbitmqctl", *arguments)

    def enable_plugin(self, name: str) -> None:
        """It stays enabled as long as the broker lives."""
        self._run("rabbitmq-plugins", "enable", name)

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            as_user(self.user, [str(_BIN / program), "--quiet", *arguments]),
            env=self.environment(), cwd=self.directory, capture_output=True, text=True, check=False,
            timeout=_COMMAND_DEADLINE_S * patience(),
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} {' '.join(arguments)} failed:\n"
                               f"{done.stdout}{done.stderr}")
        return done.stdout

    def connect(self) -> pika.BlockingConnection:
        """A new connection, for one thread; the caller closes it."""
        try:
            return pika.BlockingConnection(self._parameters())
        # so pika, where the broker went between the connection and getpeername()
        except ValueError as error:
            raise ConnectionError("the connection ended while it was made") from error

    def _parameters(self) -> pika.URLParameters:
        parameters = pika.URLParameters(self.uri)
        parameters.heartbeat = _CLIENT_HEARTBEAT_S
        return parameters

    def declare_queue(self, name: str, *, quorum: bool = False,
                      arguments: dict[str, object] | None = None) -> None:
        """A durable queue, as the ERP would make it."""
        kind = {"x-queue-type": "quorum"} if quorum else {}
        with self.connect() as connection:
            connection.channel().queue_declare(name, durable=True,
                                               arguments={**kind, **(arguments or {})})

    def delete_queue(self, name: str) -> None:
        with self.connect() as connection:
            connection.channel().queue_delete(name)

    def purge(self, name: str) -> None:
        with self.connect() as connection:
            connection.channel().queue_purge(name)

    def publish(self, queue: str, body: bytes, **properties: object) -> None:
        """Publish one persistent message; returns when the broker has confirmed it, raises if it
        did not.

        properties are those of pika.BasicProperties: message_id, timestamp (seconds), headers, ...
        """
        with Publisher(self) as publisher:
            publisher.publish(queue, body, **properties)

    def publish_many(self, queue: str, messages: Iterable[bytes | Message],
                     on_confirm: Callable[[int], None] = lambda _n: None) -> int:
        """Publish many persistent messages, in order; return their number once all are confirmed.

        Each is a body, or a pair of a body and a dictionary of properties. on_confirm as in
        BulkPublisher.
        """
        pairs = ((message, {}) if isinstance(message, bytes) else message for message in messages)
        return BulkPublisher(self._parameters(), queue, privacy.watching(pairs), on_confirm).run()

    def depth(self, queue: str) -> Depth:
        """What the queue holds at this moment."""
        answer = self._ask(queue)
        if answer == "missing":
            raise LookupError(f"queue {queue!r} does not exist")
        if answer == "down":
            raise ConnectionError("the broker does not answer")
        return Depth(*map(int, answer.split()))

    def wait_until_empty(self, queue: str, deadline_s: float = 60) -> None:
        """Wait until no message is ready or unacknowledged; a broker that is down is waited for."""

        def is_empty() -> bool:
            try:
                return self.depth(queue).is_empty
            except ConnectionError:
                return False

        wait_until(is_empty, deadline_s, f"queue {queue!r} to be empty and acknowledged")

    def return_all(self, queue: str, times: int) -> None:
        """Take all messages and lose the connection, time and again; they come back in order."""
        count = self.depth(queue).ready
        for _ in range(times):
            taken: list[int] = []
            with self.connect() as connection:
                channel = connection.channel()
                channel.basic_qos(prefetch_count=count)
                channel.basic_consume(
                    queue, lambda _c, method, _p, _b, to=taken: to.append(method.delivery_tag))
                while len(taken) < count:
                    connection.process_data_events(1)
            wait_until(lambda: self.depth(queue).ready == count, 30, "all to be back")

    def _ask(self, queue: str) -> str:
        if self._probe is None or self._probe.poll() is not None:
            self._probe = subprocess.Popen(
                as_user(self.user, ["erl", "-noshell", "-hidden", "-sname",
                                    f"probe-{secrets.token_hex(4)}@localhost",
                                    *ERL_ARGUMENTS.split(), "-eval", _PROBE]),
                env=self.environment(), cwd=self.directory, text=True, bufsize=1,
                start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )
        assert self._probe.stdin is not None and self._probe.stdout is not None
        self._probe.stdin.write(queue + "\n")
        answer = self._probe.stdout.readline().strip()
        if not answer:
            raise RuntimeError("the probe that asks the broker for queue depths ended")
        return answer

    def _close_clients(self) -> None:
        # The probe ends when its input does.
        if self._probe is not None:
            self._probe.communicate()
            self._probe = None


class Publisher:
    """One connection that publishes with confirms, for one thread.

        with Publisher(broker) as publisher:
            publisher.publish("q", b"{}", message_id="1")
    """

    def __init__(self, broker: RabbitMQ):
        self._connection = broker.connect()
        self._channel = self._connection.channel()
        self._channel.confirm_delivery()

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def publish(self, queue: str, body: bytes, **properties: object) -> None:
        """As RabbitMQ.publish. When it raises, whether the broker has the message is unknown."""
        privacy.WATCH.published(body, properties)
        self._channel.basic_publish(
            "", queue, body, pika.BasicProperties(delivery_mode=2, **properties), mandatory=True)

    def close(self) -> None:
        """Never raises: all that was published is confirmed already."""
        try:
            self._connection.close()
        except pika.exceptions.AMQPError:
            pass
