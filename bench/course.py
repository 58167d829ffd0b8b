"""The course of a run: what is measured, in which order.

Every repetition measures every workload with every contender once, so that a slow spell of the
machine hits all alike. Whatever writes the same messages must leave the same rows: tables are
compared in the first repetition.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from support.database import Database
from support.generator import Erp

from bench import drain, grown, latency, limits, site
from bench.drain import QUEUE, WRITERS, Drained
from bench.handwritten import payload_hash
from bench.site import Site
from bench.workloads import (EMPTY, RESTING, Workload, all_workloads, read_bodies, shuffled,
                             write_bodies)

HAND_CONNECTIONS = (1, 2, 4, 8)
BY_HAND = ("new", "churn", "unchanged")
SWEPT = ("new", "churn")
BATCHES = (25, 50, 100, 250, 500, 1000, 2000)


class Course:
    def __init__(self, at: Site, size: Any, say: Callable[[str], None]):
        self._site = at
        self._size = size
        self._say = say
        self._workloads = [workload for workload in all_workloads()
                           if workload.entity in size.entities]
        self._runs: list[dict[str, Any]] = []
        self._connections: dict[tuple[str, str], int] = {}
        self._digests: dict[tuple[str, str, int], dict] = {}
        self._shares: dict[str, list[dict[str, bytes]]] = {}
        self._changes: dict[str, limits.Changes] = {}

    def run(self) -> dict[str, Any]:
        self._prepare()
        trials = [self._choose_connections(workload) for workload in self._workloads
                  if workload.name in self._size.hand_trials and workload.entity == "subscription"]
        if self._size.grown:
            self._say(f"growing to {self._size.grown:,} subscriptions")
            grown.grow(self._site, self._size.messages, self._size.grown)
        for repetition in range(self._size.repetitions):
            for workload in self._workloads:
                self._measure(workload, repetition)
            if self._size.grown:
                grown.publish(self._site, self._size.messages, self._size.grown, repetition)
                self._note("subscription", "grown", "kopru", repetition,
                           drain.drain_with_kopru(self._site.broker, grown.database(self._site),
                                                  "subscription"))
        return {"runs": self._runs, "trials": trials,
                "hand_connections": self._connections_by_name(),
                "latency": self._latency(), "sweeps": self._sweeps(), "memory": self._memory(),
                "workloads": {f"{workload.entity}: {workload.name}": workload.what
                              for workload in self._workloads}}

    # preparing

    def _prepare(self) -> None:
        self._say("writing the messages")
        for workload in self._workloads:
            write_bodies(self._bodies(workload), workload.bodies(self._size.messages))
            if workload.name in BY_HAND and self._size.by_hand != self._size.messages:
                write_bodies(self._bodies(workload, by_hand=True),
                             workload.bodies(self._size.by_hand))
        for entity in self._size.entities:
            self._rest(entity, self._size.messages, f"{RESTING} {entity}")
            if self._size.by_hand != self._size.messages:
                self._rest(entity, self._size.by_hand, f"{RESTING} {entity} by hand")

    def _rest(self, entity: str, count: int, template: str) -> None:
        """A template with so many entities at rest."""
        self._say(f"loading {count:,} of entity {entity}")
        db = self._site.restore(EMPTY)
        path = self._site.bodies_file("rest")
        (workload,) = [each for each in self._workloads
                       if (each.name, each.entity) == ("new", entity)]
        write_bodies(path, workload.bodies(count))
        self._site.fresh_queue(QUEUE, path)
        drain.drain_with_kopru(self._site.broker, db, entity)
        self._site.keep_as(template, template.replace(" ", "_"))

    def _bodies(self, workload: Workload, *, by_hand: bool = False) -> Path:
        mark = " by hand" if by_hand and self._size.by_hand != self._size.messages else ""
        return self._site.bodies_file(f"{workload.entity} {workload.name}{mark}")

    def _start(self, workload: Workload, *, by_hand: bool = False) -> Database:
        """The database and the queue as the workload finds them."""
        template = workload.start
        if template == RESTING:
            template = f"{RESTING} {workload.entity}"
            if by_hand and self._size.by_hand != self._size.messages:
                template += " by hand"
        db = self._site.restore(template)
        if by_hand and workload.start == RESTING:
            own_hashes(db, workload, self._bodies(workload, by_hand=True))
        self._site.fresh_queue(QUEUE, self._bodies(workload, by_hand=by_hand))
        return db

    def _note(self, entity: str, workload: str, contender: str, repetition: int,
              drained: Drained) -> None:
        work = {**(asdict(drained.work) if drained.work else {}),
                **(asdict(drained.processor) if drained.processor else {})}
        self._runs.append({"entity": entity, "workload": workload, "contender": contender,
                           "repetition": repetition,
                           "messages": drained.messages, "seconds": round(drained.seconds, 4),
                           "peak_kb": drained.peak_kb, **work})
        self._say(f"{repetition + 1}. {entity} {workload}, {contender}: "
                  f"{drained.messages / drained.seconds:,.0f} a second")

    # measuring

    def _measure(self, workload: Workload, repetition: int) -> None:
        entity, name = workload.entity, workload.name
        db = self._start(workload)
        since_xid = int(str(db.value("SELECT pg_current_xact_id()::text")))
        drained = drain.drain_with_kopru(self._site.broker, db, entity)
        self._note(entity, name, "kopru", repetition, drained)
        if repetition == 0:
            self._remember(workload, db, since_xid)
        if name == "unchanged":
            # So fast that a short queue would be over between two looks.
            self._site.fresh_queue(QUEUE,
                                   *[self._bodies(workload)] * max(1,
                                                                   50_000 // self._size.messages))
            self._note(entity, name, "broker", repetition,
                       drain.drain_alone(self._site.broker, self._site.server))
        if name in ("new", "churn"):
            db = self._site.restore(EMPTY if name == "new" else f"{RESTING} {entity}")
            if name == "new":
                limit = limits.copy_rows(self._site.broker, db, self._shares[entity],
                                         self._size.messages)
            else:
                limit = limits.apply_changes(self._site.broker, db, self._changes[entity])
            self._compare(workload, db, self._size.messages)
            self._note(entity, name, "limit", repetition, limit)
        if (name in BY_HAND and entity == "subscription"
                and repetition < self._size.hand_repetitions):
            self._measure_by_hand(workload, repetition)

    def _measure_by_hand(self, workload: Workload, repetition: int) -> None:
        db = self._start(workload, by_hand=True)
        if repetition == 0 and self._size.by_hand != self._size.messages:
            drain.drain_with_kopru(self._site.broker, db, workload.entity)
            self._digests[workload.entity, workload.name,
                          self._size.by_hand] = site.digest(db, workload.entity)
            db = self._start(workload, by_hand=True)
        connections = self._connections.get((workload.entity,
                                             workload.name)) or self._connections[workload.entity,
                                                                                  "churn"]
        drained = drain.drain_by_hand(self._site.broker, db, workload.entity, connections)
        self._compare(workload, db, self._size.by_hand)
        self._note(workload.entity, workload.name, "hand", repetition, drained)

    def _remember(self, workload: Workload, db: Database, since_xid: int) -> None:
        """What kopru left, for the limits and for comparing."""
        entity = workload.entity
        if workload.name in BY_HAND:
            self._digests[entity, workload.name, self._size.messages] = site.digest(db, entity)
        if workload.name == "new":
            self._shares[entity] = limits.finished_rows(db, entity, WRITERS)
        if workload.name == "churn":
            id_of = Erp.subscription_id if entity == "subscription" else Erp.customer_id
            order = [id_of(number) for number in shuffled(self._size.messages)]
            self._changes[entity] = limits.known_changes(db, entity, since_xid, order, WRITERS)

    def _compare(self, workload: Workload, db: Database, messages: int) -> None:
        expected = self._digests[workload.entity, workload.name, messages]
        found = site.digest(db, workload.entity)
        if found != expected:
            raise RuntimeError(f"{workload.entity} {workload.name}: the tables differ: {found}, "
                               f"kopru left {expected}")

    def _choose_connections(self, workload: Workload) -> dict[str, Any]:
        """The best of 1, 2, 4 and 8 for the hand-written consumer."""
        path = self._site.bodies_file("trial")
        write_bodies(path, workload.bodies(self._size.hand_trial))
        tried = {}
        for connections in HAND_CONNECTIONS:
            db = self._site.restore(EMPTY if workload.start == EMPTY
                                    else f"{RESTING} {workload.entity}")
            self._site.fresh_queue(QUEUE, path)
            drained = drain.drain_by_hand(self._site.broker, db, workload.entity, connections)
            tried[connections] = drained.messages / drained.seconds
            self._say(f"{workload.name} by hand, {connections} connections: "
                      f"{tried[connections]:,.0f} a second")
        self._connections[workload.entity,
                          workload.name] = max(tried, key=lambda connections: tried[connections])
        return {"entity": workload.entity, "workload": workload.name,
                "rates": {str(key): round(value) for key, value in tried.items()}}

    def _connections_by_name(self) -> dict[str, int]:
        return {f"{entity}: {workload}": count
                for (entity, workload), count in self._connections.items()}

    def _latency(self) -> list[dict[str, Any]]:
        path = self._site.bodies_file("latency")
        (workload,) = [each for each in self._workloads
                       if (each.name, each.entity) == ("new", "subscription")]
        write_bodies(path, workload.bodies(self._size.latency_messages))
        found = []
        for _ in range(self._size.latency_repetitions):
            db = self._site.restore(EMPTY)
            self._site.fresh_queue(QUEUE)
            kopru = latency.of_kopru(self._site.broker, db, path, self._size.latency_messages)
            floor = latency.of_the_floor(self._site.broker, db, path, self._size.latency_messages)
            found.append({"kopru": kopru, "floor": floor})
            self._say(f"latency p50 {kopru['p50']:.2f} ms (floor {floor['p50']:.2f}), p99 "
                      f"{kopru['p99']:.2f} ms ({floor['p99']:.2f})")
        return found

    def _sweeps(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        if not self._size.sweep_messages:
            return found
        for workload in self._workloads:
            if workload.entity != "subscription" or workload.name not in SWEPT:
                continue
            path = self._site.bodies_file("sweep")
            write_bodies(path, workload.bodies(self._size.sweep_messages))
            points = [("writers", value, {"queue": {"writers": value}})
                      for value in HAND_CONNECTIONS]
            points += [("batch", value, {"batch": {"max_messages": value},
                                         "queue": {"prefetch": max(2000, 4 * value)}})
                       for value in BATCHES]
            for by, value, changes in points:
                db = self._site.restore(EMPTY if workload.start == EMPTY
                                        else f"{RESTING} subscription")
                self._site.fresh_queue(QUEUE, path)
                drained = drain.drain_with_kopru(self._site.broker, db, "subscription", changes)
                found.append({"by": by, "value": value, "workload": workload.name,
                              "rate": drained.messages / drained.seconds})
                self._say(f"{workload.name}, {by} {value}: {found[-1]['rate']:,.0f} a second")
        return found

    def _memory(self) -> list[dict[str, Any]]:
        """Peaks while draining much: churn back and forth between two states."""
        found = []
        states = [self._bodies(workload) for name in ("churn", "unchanged")
                  for workload in self._workloads
                  if (workload.name, workload.entity) == (name, "subscription")]
        for messages in self._size.memory:
            db = self._site.restore(f"{RESTING} subscription")
            self._site.fresh_queue(QUEUE,
                                   *(states[n % 2] for n in range(messages // self._size.messages)))
            drained = drain.drain_with_kopru(self._site.broker, db, "subscription")
            found.append({"messages": drained.messages, "peak_kb": drained.peak_kb,
                          "seconds": drained.seconds})
            self._say(f"{drained.messages:,} messages: peak {drained.peak_kb} kB")
        return found


def own_hashes(db: Database, workload: Workload, bodies: Path) -> None:
    """Payload hashes, as if the hand-written consumer had written the entities at rest."""
    table, key = site.TABLES_OF[workload.entity][0], site.KEY_OF[workload.entity]
    if workload.name != "unchanged":
        return  # no hash is equal, whoever computed it
    with db.admin() as connection:
        connection.execute("CREATE TEMP TABLE own (id text, hash bytea)")
        with connection.cursor().copy("COPY own FROM STDIN") as copy:
            for body in read_bodies(bodies):
                copy.write_row((json.loads(body)["id"], payload_hash(body)))
        connection.execute(f"UPDATE kopru.{table} SET payload_hash = own.hash FROM own WHERE "
                           f"{key} = own.id")
        connection.execute(f"VACUUM (FULL, ANALYZE) kopru.{table}")
        connection.execute("CHECKPOINT")
