"""Every kind of fault: what it touches, how often it comes, and what it does.

A fault is a generator that yields how many seconds it wants to wait; all run in one thread, the
main one, because what starts processes must live as long as they do. When it ends, what it broke is
whole again; only a clock may stay as it was set.
"""

import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from support.pg_errors import STATEMENTS

from chaos.network import TO_CLIENT, TO_SERVER, Network
from chaos.world import World

Act = Iterator[float]
Arguments = dict[str, Any]

_PAUSE_S = 0.05


@dataclass(frozen=True)
class Kind:
    name: str
    touches: frozenset[str]  # two faults on the same thing come one after the other
    weight: float
    arguments: Callable[[random.Random], Arguments]
    act: Callable[..., Act]
    settles_s: float = 1.0  # pause before the next fault on the same thing


def _seconds(least: float, most: float) -> Callable[[random.Random], Arguments]:
    return lambda choice: {"seconds": round(choice.uniform(least, most), 1)}


def _nothing(_choice: random.Random) -> Arguments:
    return {}


# ---- the daemon ----

def _kill_daemon(world: World, seconds: float) -> Act:
    world.first.kill9()
    yield seconds
    world.first.launch()


def _terminate_daemon(world: World, signal_name: str, seconds: float) -> Act:
    yield from world.first.terminated(signal.Signals[signal_name])
    yield seconds
    world.first.launch()


def _signal_arguments(choice: random.Random) -> Arguments:
    return {"signal_name": choice.choice(("SIGTERM", "SIGINT")), **_seconds(0, 1)(choice)}


def _freeze_daemon(world: World, seconds: float) -> Act:
    world.first.freeze()
    yield seconds
    world.first.thaw()


def _second_arguments(choice: random.Random) -> Arguments:
    return {"end": choice.choice(("kill9", "terminate", "freeze")), **_seconds(1, 8)(choice)}


def _second_daemon(world: World, end: str, seconds: float) -> Act:
    """The second daemon stands by for a while; it takes over if the first is away then."""
    yield from _with_second(world, end, seconds)


def _with_second(world: World, end: str, seconds: float) -> Act:
    world.second.launch()
    yield seconds
    if end == "freeze":
        world.second.freeze()
        yield seconds
        world.second.thaw()
        yield 0.5
    if end == "kill9":
        world.second.kill9()
    else:
        yield from world.second.terminated(signal.SIGTERM)


def _take_over(world: World, end: str, seconds: float) -> Act:
    """The second acquires the lease, because the first dies or freezes; then the second ends."""
    world.second.launch()
    yield 1.5
    if end == "freeze":
        world.first.freeze()
        yield 6 + seconds  # longer than the lease
        world.first.thaw()
    else:
        world.first.kill9()
        yield seconds
        world.first.launch()
    yield 1.0
    yield from world.second.terminated(signal.SIGTERM)


def _stall_log(world: World, seconds: float) -> Act:
    """Nobody reads what the daemons log."""
    for instance in world.instances:
        instance.relay.stall()
    yield seconds
    for instance in world.instances:
        instance.relay.resume()


# ---- PostgreSQL ----

def _terminate_backends(world: World, share: float) -> Act:
    for pid in world.backends(share):
        world.sql("SELECT pg_terminate_backend(%s)", pid)
    yield 0


def _share(choice: random.Random) -> Arguments:
    return {"share": choice.choice((0.3, 0.6, 1.0))}


def _restart_database(world: World, mode: str, seconds: float) -> Act:
    world.server.stop(mode)
    yield seconds
    yield from world.database_started()


def _restart_arguments(choice: random.Random) -> Arguments:
    return {"mode": choice.choice(("fast", "immediate")), **_seconds(0, 3)(choice)}


def _kill_backend(world: World) -> Act:
    """Killing one backend ends all others, and the server recovers."""
    for pid in world.backends(0.01):
        world.kill(pid, signal.SIGKILL)
    yield 1.0
    yield from world.database_started()


def _kill_postmaster(world: World, seconds: float) -> Act:
    world.server.kill9()
    yield seconds
    yield from world.database_started()


def _freeze_backends(world: World, share: float, seconds: float) -> Act:
    pids = world.backends(share)
    try:
        for pid in pids:
            world.kill(pid, signal.SIGSTOP)
        yield seconds
    finally:
        for pid in pids:
            world.kill(pid, signal.SIGCONT)


def _freeze_arguments(choice: random.Random) -> Arguments:
    return {**_share(choice), **_seconds(1, 8)(choice)}


def _freeze_postmaster(world: World, seconds: float) -> Act:
    world.server.freeze()
    yield seconds
    world.server.thaw()


_TABLES = ("customers", "contact_mediums", "subscriptions", "subscription_characteristics",
           "engaged_parties", "dead_letters", "queues")


def _table_arguments(choice: random.Random) -> Arguments:
    return {"table": choice.choice(_TABLES), **_seconds(1, 6)(choice)}


def _lock_table(world: World, table: str, seconds: float) -> Act:
    with world.lock(table):
        yield seconds


def _deadlocks(world: World, entity: str, seconds: float) -> Act:
    with world.quarreling_client(entity):
        yield seconds


def _entity_arguments(choice: random.Random) -> Arguments:
    return {"entity": choice.choice(("customer", "subscription")), **_seconds(2, 6)(choice)}


def _read_only(world: World, seconds: float) -> Act:
    """As after a failover to a standby: connections end, and the new server is read-only."""
    world.set_read_only(True)
    yield seconds
    world.set_read_only(False)


def _revoke(world: World, table: str, seconds: float) -> Act:
    world.sql(f"REVOKE INSERT, UPDATE, DELETE ON kopru.{table} FROM kopru_writer")
    yield seconds
    children = ("contact_mediums", "subscription_characteristics", "engaged_parties")
    rights = "INSERT, UPDATE" + (", DELETE" if table in children else "")
    world.sql(f"GRANT {rights} ON kopru.{table} TO kopru_writer")


def _rename_table(world: World, table: str, seconds: float) -> Act:
    yield from world.altered(f"ALTER TABLE kopru.{table} RENAME TO {table}_away")
    yield seconds
    yield from world.altered(f"ALTER TABLE kopru.{table}_away RENAME TO {table}")


# Of rows that belong to one entity in twenty.
_SWALLOWING = """
CREATE FUNCTION history.swallow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF hashtext(to_jsonb(COALESCE(NEW, OLD)) ->> '{key}') % 20 = 0 THEN RETURN NULL; END IF;
    RETURN COALESCE(NEW, OLD);
END
$$;
CREATE TRIGGER swallow BEFORE {event} ON kopru.{table}
    FOR EACH ROW EXECUTE FUNCTION history.swallow()
"""
_KEYS = {"customers": "customer_id", "contact_mediums": "customer_id",
         "subscriptions": "subscription_id", "subscription_characteristics": "subscription_id",
         "engaged_parties": "subscription_id"}


def _swallow_arguments(choice: random.Random) -> Arguments:
    return {"table": choice.choice(list(_KEYS)),
            "event": choice.choice(("INSERT", "UPDATE", "DELETE", "INSERT OR UPDATE")),
            **_seconds(1, 6)(choice)}


def _swallow(world: World, table: str, event: str, seconds: float) -> Act:
    """A trigger of the site that says nothing and lets no row through."""
    yield from world.altered(_SWALLOWING.format(table=table, key=_KEYS[table], event=event))
    yield seconds
    yield from world.altered(f"DROP TRIGGER swallow ON kopru.{table}; "
                             "DROP FUNCTION history.swallow()")


# What a whole server may answer: limits, resources, conflicts, privileges, shutdowns, and what is
# said of a row elsewhere.
_OUTAGES = ("54000", "53100", "53200", "53400", "57014", "57P03", "58030", "40001", "40P01",
            "0A000", "08001", "25006", "42501", "42703", "55P03", "P0001", "22003", "23514")
# At COMMIT a constraint of the site may judge a row.
_NO_OUTAGES_AT_COMMIT = ("23514",)


def _error_arguments(choice: random.Random) -> Arguments:
    statement = choice.choice(list(STATEMENTS))
    sqlstates = [state for state in _OUTAGES
                 if statement != "commit" or state not in _NO_OUTAGES_AT_COMMIT]
    return {"statement": statement, "sqlstate": choice.choice(sqlstates),
            **_seconds(0.5, 4)(choice)}


def _error(world: World, statement: str, sqlstate: str, seconds: float) -> Act:
    world.errors.raise_at(statement, sqlstate)
    yield seconds
    world.errors.stop()


def _clock_arguments(choice: random.Random) -> Arguments:
    """From two seconds to almost three hours, in either direction."""
    return {"by": choice.choice((1, -1)) * round(10 ** choice.uniform(0.3, 4)),
            "undone": choice.random() < 0.5, **_seconds(0.5, 9)(choice)}


def _step_clock(world: World, by: int, undone: bool, seconds: float) -> Act:
    """The server's clock is set, and stays so, or is set back after a while."""
    world.clock.step(by)
    yield seconds
    if undone:
        world.clock.step(-by)


def _kill_pooler(world: World, seconds: float) -> Act:
    assert world.pooler is not None
    world.pooler.kill9()
    yield seconds
    world.pooler.launch()


# ---- RabbitMQ ----

def _close_connections(world: World) -> Act:
    world.broker_run('[rabbit_networking:close_connection(P, "chaos") || P <- '
                     'rabbit_networking:connections()].')
    yield 0


def _stop_app(world: World, seconds: float) -> Act:
    world.broker_run("rabbit:stop().")
    yield seconds
    world.broker_run("rabbit:start().")


def _kill_broker(world: World, seconds: float) -> Act:
    world.broker.kill9()
    yield seconds
    yield from world.broker_started()


def _memory_alarm(world: World, seconds: float) -> Act:
    world.broker_run("vm_memory_monitor:set_vm_memory_high_watermark(0.00001).")
    yield seconds
    world.broker_run("vm_memory_monitor:set_vm_memory_high_watermark(0.4).")


def _policy(world: World, seconds: float) -> Act:
    """Makes classic queues lazy, and gives quorum queues another delivery limit."""
    for name, definition in (("queue-mode", '<<"lazy">>'), ("delivery-limit", "500")):
        world.broker_run(f'rabbit_policy:set(<<"/">>, <<"chaos-{name}">>, <<"^chaos">>, '
                         f'[{{<<"{name}">>, {definition}}}], '
                         '0, <<"queues">>, <<"chaos">>).')
        yield seconds / 2
    for name in ("queue-mode", "delivery-limit"):
        world.broker_run(f'rabbit_policy:delete(<<"/">>, <<"chaos-{name}">>, <<"chaos">>).')


# ---- the network ----

_DIRECTIONS = {"to_server": (TO_SERVER,), "to_client": (TO_CLIENT,), "both": (TO_SERVER, TO_CLIENT)}


def _network(side: str, act: Callable[..., Act]) -> Callable[..., Act]:
    def on_all(world: World, **arguments: Any) -> Act:
        return act([getattr(instance, side) for instance in world.instances], **arguments)

    return on_all


def _cut(networks: list[Network]) -> Act:
    for network in networks:
        network.cut()
    yield 0


def _reset(networks: list[Network]) -> Act:
    for network in networks:
        network.reset()
    yield 0


def _stall(networks: list[Network], direction: str, seconds: float) -> Act:
    for network in networks:
        network.stall(*_DIRECTIONS[direction])
    yield seconds
    for network in networks:
        network.heal()


def _stall_arguments(choice: random.Random) -> Arguments:
    return {"direction": choice.choice(list(_DIRECTIONS)), **_seconds(1, 9)(choice)}


def _delay(networks: list[Network], each: float, seconds: float) -> Act:
    for network in networks:
        network.delay(each)
    yield seconds
    for network in networks:
        network.heal()


def _delay_arguments(choice: random.Random) -> Arguments:
    return {"each": choice.choice((0.01, 0.05, 0.2)), **_seconds(2, 6)(choice)}


def _limit(networks: list[Network], direction: str, count: int) -> Act:
    for network in networks:
        network.limit(_DIRECTIONS[direction][0], count)
    yield 2.0
    for network in networks:
        network.heal()


def _limit_arguments(choice: random.Random) -> Arguments:
    return {"direction": choice.choice(("to_server", "to_client")),
            "count": int(10 ** choice.uniform(0.5, 5.5))}


def _network_kinds(name: str, side: str) -> Iterator[Kind]:
    touches = frozenset({side})
    for what, weight, arguments, act, settles_s in (
        ("cut", 1.0, _nothing, _cut, 1.0), ("reset", 1.0, _nothing, _reset, 1.0),
        ("stall", 1.0, _stall_arguments, _stall, 1.0),
        ("delay", 0.7, _delay_arguments, _delay, 1.0),
        ("limit", 2.0, _limit_arguments, _limit, 3.0),
    ):
        yield Kind(f"{name} {what}", touches, weight, arguments, _network(side, act), settles_s)


def _kind(name: str, touches: str, weight: float, arguments: Callable[[random.Random], Arguments],
          act: Callable[..., Act], settles_s: float = 1.0) -> Kind:
    return Kind(name, frozenset(touches.split()), weight, arguments, act, settles_s)


KINDS = (
    _kind("daemon kill -9", "first", 3, _seconds(0, 2), _kill_daemon),
    _kind("daemon ended by signal", "first", 2, _signal_arguments, _terminate_daemon, 4),
    _kind("daemon frozen", "first", 1.5, _seconds(0.5, 9), _freeze_daemon),
    _kind("second daemon", "second", 1.5, _second_arguments, _second_daemon, 10),
    _kind("second daemon takes over", "first second", 1.5, _second_arguments, _take_over, 10),
    _kind("log not read", "log", 1.5, _seconds(1, 9), _stall_log),
    _kind("database backends terminated", "database", 2, _share, _terminate_backends),
    _kind("database restarted", "database", 1, _restart_arguments, _restart_database, 2),
    _kind("database backend kill -9", "database", 1, _nothing, _kill_backend, 3),
    _kind("database postmaster kill -9", "database", 0.7, _seconds(0, 2), _kill_postmaster, 2),
    _kind("database backends frozen", "database", 1, _freeze_arguments, _freeze_backends),
    _kind("database postmaster frozen", "database", 0.5, _seconds(1, 6), _freeze_postmaster),
    _kind("database table locked", "database", 1, _table_arguments, _lock_table),
    _kind("database deadlocks", "database", 1, _entity_arguments, _deadlocks),
    _kind("database read-only", "database", 0.7, _seconds(1, 5), _read_only),
    _kind("database privilege revoked", "database", 0.7, _table_arguments, _revoke),
    _kind("database table renamed", "database", 0.7, _table_arguments, _rename_table),
    _kind("database rows swallowed", "database", 1, _swallow_arguments, _swallow),
    _kind("database clock set", "database", 3, _clock_arguments, _step_clock),
    _kind("database error", "errors", 2, _error_arguments, _error),
    _kind("pooler kill -9", "pooler", 1.5, _seconds(0, 2), _kill_pooler),
    _kind("broker closes connections", "broker", 2, _nothing, _close_connections),
    _kind("broker stop_app", "broker", 0.7, _seconds(0, 3), _stop_app, 3),
    _kind("broker kill -9", "broker", 0.7, _seconds(0, 2), _kill_broker, 8),
    _kind("broker memory alarm", "broker", 0.7, _seconds(1, 5), _memory_alarm),
    _kind("broker policy", "broker", 0.7, _seconds(1, 4), _policy),
    *_network_kinds("amqp", "amqp_network"),
    *_network_kinds("sql", "sql_network"),
)
