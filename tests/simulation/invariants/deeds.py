"""What is done: to whose containers, by whom, at what cost to tasks, and that it was decided and is on record."""

from __future__ import annotations

import math
from collections import Counter

from autoscaler.fleet.docker_spec import INSTANCE as INSTANCE_LABEL
from autoscaler.fleet.docker_spec import POOL as POOL_LABEL
from autoscaler.model import (
    ActionKind,
    Decision,
    Memory,
    Observation,
    Phase,
    Policies,
    Record,
)

from ..engine import Change
from ..machine import Process
from ..story import INSTANCE
from ..tasks import Where
from ..world import Life, World
from .common import KIND_OF, ORDERED_SECONDS, Invariant, journal_rows, new_drains


class OnlyOurs(Invariant):
    key, promise = "I2", "P6"
    text = "only containers with our label and our instance are touched"

    def on_change(self, world: World, change: Change) -> None:
        if change.labels.get(INSTANCE_LABEL) != INSTANCE or not change.labels.get(POOL_LABEL):
            self.broken(world, f"{change.kind} {change.name}, which is not ours: {dict(change.labels)}")


class OneActor(Invariant):
    key, promise = "I4", "P7"
    text = "of the daemons with one state folder at most one acts at any moment"

    def on_change(self, world: World, change: Change) -> None:
        state = world.life_of(change.by).state
        living = (life for life in world.lives if not life.ended and life.process is not change.by)
        others = [life for life in living if life.ticks and life.state == state]
        if others and not change.by.dead:
            self.broken(world, f"{change.by.name} acts ({change.kind} {change.name}) while {others[0].process.name} ticks")


class Relieved(Invariant):
    key, promise = "I20", "P7"
    text = "one that stands by takes over before anybody who comes later"

    def on_decision(self, world: World, life: Life, policies: Policies, seen: Observation, memory: Memory, decision: Decision) -> None:
        if life.ticks:
            return
        for other in world.lives:
            waits = other.standby and not (other.ended or other.ticks or other.process.frozen) and other.state == life.state
            if waits and max(other.born, other.last_wake) < life.born - 1.0:
                self.broken(world, f"{life.process.name} acts, and {other.process.name} has stood by since {other.born:.1f} s")


class NothingInterrupted(Invariant):
    key, promise = "I5", "P1"
    text = "no task is lost or cut off by us, every task is accounted for, and idle workers leave before busy ones"

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def on_change(self, world: World, change: Change) -> None:
        box = change.box
        if change.kind == "stop" and box:
            self._told.setdefault(box.id, change.at)
        if change.kind == "remove" and box and box.runs:
            self.broken(world, f"{change.name} is removed while it runs")
        if change.kind == "kill" and box:
            pool = world.story.config["pools"][box.labels[POOL_LABEL]]
            seconds = float(pool["drain"]["timeout"].rstrip("s"))
            if pool["drain"]["on_timeout"] != "kill":
                self.broken(world, f"{change.name} is killed, and drain.on_timeout is wait")
            elif change.at - self._told.get(box.id, change.at) < seconds - 1.0:
                self.broken(
                    world, f"{change.name} is killed {change.at - self._told.get(box.id, change.at):.1f} s into a drain of {seconds} s"
                )

    def on_decision(self, world: World, life: Life, policies: Policies, seen: Observation, memory: Memory, decision: Decision) -> None:
        for pool in decision.lanes:
            leaving = set(new_drains(pool, memory))
            stay = [r for r in pool.view.of(Phase.STARTING, Phase.READY, Phase.LOST) if r.container_id and r.name not in leaving]
            there = [r for r in pool.view.replicas if r.name in leaving and not r.outdated]
            busy = [r for r in there if (r.running or 0) + r.reserved + r.scheduled > 0]
            idle = [r for r in stay if r.is_idle]
            if busy and idle:
                self.broken(world, f"{pool.pool}: {busy[0].name} is busy and has to leave, while {idle[0].name} is idle and stays")

    def on_tick(self, world: World, life: Life, policies: Policies, before: Memory, record: Record, after: Memory) -> None:
        if life.ticks % 8 == 0:
            self._count(world)

    def at_end(self, world: World) -> None:
        self._count(world)
        for task in world.ledger.tasks:
            if task.where is Where.LOST and task.cause.startswith("we "):
                self.broken(world, f"task {task.number} is lost: {task.cause}") if not self._may_kill(world) else None

    @staticmethod
    def _may_kill(world: World) -> bool:
        return any(pool["drain"]["on_timeout"] == "kill" for pool in world.story.config["pools"].values())

    def _count(self, world: World) -> None:
        """What the ledger says of every task is true, and nobody holds a task twice."""
        found: Counter[Where] = Counter()
        for broker in world.brokers.values():
            found[Where.WAITING] += sum(len(line) for line in broker.lists.values())
            found[Where.LEFT] += sum(task.where is Where.LEFT for task in broker.unacked)
        for worker in world.workers():
            found[Where.PREFETCHED] += len(worker.prefetched)
            found[Where.SCHEDULED] += len(worker.scheduled)
            found[Where.RUNNING] += len(worker.running)
        found[Where.DONE] = sum(task.where is Where.DONE and task.effects > 0 for task in world.ledger.tasks)
        found[Where.LOST] = sum(task.where is Where.LOST and bool(task.cause) for task in world.ledger.tasks)
        said = {where: count for where, count in world.ledger.counts.items() if count != found[where]}
        if said or sum(found.values()) != len(world.ledger.tasks):
            self.broken(world, f"{len(world.ledger.tasks)} tasks were sent; the ledger says {said}, found are {dict(found)}")


class DecidedAndRecorded(Invariant):
    key, promise = "I6", "P4"
    text = "every change was decided before it was made, with a reason, and stands in the journal"

    def __init__(self) -> None:
        self._decided: dict[tuple[ActionKind, str], tuple[float, bool]] = {}
        self._made: list[tuple[float, str, Life]] = []

    def on_decision(self, world: World, life: Life, policies: Policies, seen: Observation, memory: Memory, decision: Decision) -> None:
        dry = bool(life.daemon and life.daemon.settings.dry_run)
        for action in decision.actions:
            self._decided[(action.kind, action.replica)] = (world.machine.now, dry)
            if not action.because:
                self.broken(world, f"{action.kind} {action.replica} without a reason")

    def on_change(self, world: World, change: Change) -> None:
        kinds = (KIND_OF[change.kind], ActionKind.START) if change.kind == "remove" else (KIND_OF[change.kind],)
        if not any((kind, change.name) in self._decided for kind in kinds):
            self.broken(world, f"{change.kind} {change.name}: nobody decided that")
        elif not change.by.dead:
            self._made.append((change.at, change.name, world.life_of(change.by)))

    def at_end(self, world: World) -> None:
        text = "\n".join(journal_rows(world))
        for at, name, life in self._made:
            told = life.last_tick is not None and life.last_tick > at + ORDERED_SECONDS / 10
            if told and not any(since - 5.0 <= at <= until for since, until in world.journal_trouble) and name not in text:
                self.broken(world, f"{name} was changed at {at:.1f} s, and the journal does not know it")


class DryRunIsDry(Invariant):
    key, promise = "I11", "P11"
    text = "what is decided while dry_run is on is never done"

    def __init__(self) -> None:
        self._dry: dict[tuple[Process, ActionKind, str], bool] = {}
        self._wet: dict[tuple[Process, ActionKind, str], float] = {}
        """When it was last decided while dry_run was off: such an order may reach the engine late."""

    def on_decision(self, world: World, life: Life, policies: Policies, seen: Observation, memory: Memory, decision: Decision) -> None:
        dry = bool(life.daemon and life.daemon.settings.dry_run)
        for action in decision.actions:
            key = life.process, action.kind, action.replica
            self._dry[key] = dry
            if not dry:
                self._wet[key] = world.machine.now

    def on_change(self, world: World, change: Change) -> None:
        key = change.by, KIND_OF[change.kind], change.name
        if self._dry.get(key) and world.machine.now - self._wet.get(key, -math.inf) > ORDERED_SECONDS:
            self.broken(world, f"{change.kind} {change.name} in a dry run")
