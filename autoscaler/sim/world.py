"""The simulated world behind the loop's doors: one queue, and replicas that boot, take tasks, finish them and leave.

It satisfies `loop.Eyes` and `loop.Hands`. Time is moved by `advance`, from event to event; what the loop does at a tick happens
at that moment. It knows the truth about every task and asserts that none is lost.

    arrival -> waiting -> (prefetched ->) running (a slot of a ready replica) -> done
                  ^------------'-----------'  its replica is killed: back to the head of the queue, to run again from the start;
                                              or it is drained: what it had only prefetched goes back

    replica: booting -> ready -> draining (takes nothing new) -> leaving (stop_seconds after its last task) -> ended
"""

from __future__ import annotations

import heapq
import math
import random
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from autoscaler.model import (
    Action,
    ActionKind,
    Container,
    ContainerState,
    Exit,
    Known,
    Observation,
    Outcome,
    Policies,
    PoolPolicy,
    QueueSight,
    Result,
    SourceSight,
    Unknown,
    WorkerSight,
)
from autoscaler.sim.arrivals import Trace

STOP_SECONDS = 1.0
"""From the signal to the exit of a worker that has nothing to finish."""
_NONE_PREFETCHED = Known(0, 0.0, "sim")
_YES, _NO = Known(True, 0.0, "sim"), Known(False, 0.0, "sim")
_NOT_TOLD = Unknown("the simulated world has no ETA tasks")
_UP = (SourceSight("flower", True, "", 0.0, 0.0), SourceSight("fleet", True, "", 0.0, 0.0))
_AWAY = Unknown("Flower is away", "flower")
_BLIND = (SourceSight("flower", False, "Flower is away", 0.0, 0.0), _UP[1])


@dataclass(frozen=True, slots=True)
class Boot:
    """How long a replica takes from its start to its first task."""

    mean_seconds: float = 3.0
    spread: float = 0.0
    """Share of it that is left to chance (exponential): 0 is always the mean, 1 is anything."""

    def draws(self, seed: int) -> Iterator[float]:
        """Boot times without end, the same for the same seed."""
        chance = random.Random(seed)  # noqa: S311 - a simulation, not a secret
        while True:
            lucky = chance.expovariate(1.0) if self.spread else 1.0
            yield self.mean_seconds * (1.0 - self.spread + self.spread * lucky)


ALWAYS_SEEN = (math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What makes it harder than usual to see and to decide."""

    prefetch: int = 0
    """Tasks per slot that a worker takes beside those it runs (Celery's prefetch multiplier)."""
    told_boot: float = 1.0
    """What the engine says of how long a start took, as a multiple of the truth."""
    blind: tuple[float, float] = ALWAYS_SEEN
    """From when until when Flower is away: neither the queue nor what the workers do is seen."""


@dataclass(slots=True)
class SimReplica:
    """One simulated worker container."""

    name: str
    created: float
    running: dict[int, float] = field(default_factory=dict)
    """Task -> when it began."""
    reserved: deque[int] = field(default_factory=deque)
    """Tasks that it took and has no slot for."""
    started: int = 0
    finished: int = 0
    ready: bool = False
    told_created: float | None = None
    """When the engine says that it was created, where that is not true."""
    was_idle: bool = False
    """At the latest look of a rival."""
    draining: bool = False
    in_line: bool = False
    """Stands in the line of those that take the next tasks."""
    ended: float | None = None


CALM = Conditions()


class World:
    """One pool, its queue and a trace."""

    def __init__(self, policy: PoolPolicy, trace: Trace, boot: Boot, seed: int = 0, conditions: Conditions = CALM) -> None:
        self.pool, self.queues, self.slots = policy.name, policy.queues, policy.slots
        self.trace, self.conditions = trace, conditions
        self.room = policy.slots * (1 + conditions.prefetch)
        """Tasks that one replica holds at most."""
        self.now = 0.0
        self.waits = array("d", bytes(8 * len(trace)))
        """How long each task waited before it began (for the last time)."""
        self.done = self.interrupted = self.arrived = self.running = self.reserved = 0
        self.worker_seconds = self.busy_seconds = 0.0
        """Of replicas that are gone, and of tasks that ended or were cut off."""
        self.starts = self.alive = self.peak = 0
        self.replicas: dict[str, SimReplica] = {}
        """By name, those that ended and were not removed yet included."""
        self.line: deque[SimReplica] = deque()
        self.waiting: deque[int] = deque()
        self._arrivals = (*trace.arrivals, math.inf)
        self._boots = boot.draws(seed)
        self._events: list[tuple[float, int, Callable[..., None], SimReplica, int]] = []
        self._serial = 0
        self._containers: Known[tuple[Container, ...]] | None = None
        self._listed: dict[str, Container] = {}
        self._voices: dict[str, WorkerSight] = {}
        self._changed: dict[str, SimReplica] = {}
        """Replicas whose voice is not up to date."""

    # -------------------------------------------------------- time

    def next_event(self) -> float:
        """When something happens by itself next; infinity when nothing will."""
        arrival, events = self._arrivals[self.arrived], self._events
        return events[0][0] if events and events[0][0] < arrival else arrival

    def looks_same_until(self) -> float:
        """The next moment at which a look could see something else."""
        event = self.next_event()
        return event if self.conditions.blind is ALWAYS_SEEN else min([event, *(at for at in self.conditions.blind if at > self.now)])

    def advance(self, until: float) -> None:
        """Let everything happen up to this moment, in order."""
        events = self._events
        while (at := self.next_event()) <= until:
            self.now = at
            if events and events[0][0] <= at:
                _, _, happen, replica, task = heapq.heappop(events)
                happen(replica, task)
            else:
                self.waiting.append(self.arrived)
                self.arrived += 1
            self._dispatch()
        self.now = until
        assert self.arrived == self.done + self.running + self.reserved + len(self.waiting), "a task was lost"

    def _later(self, seconds: float, happen: Callable[..., None], replica: SimReplica, task: int = -1) -> None:
        self._serial += 1  # events of one moment happen in the order in which they were caused
        heapq.heappush(self._events, (self.now + seconds, self._serial, happen, replica, task))

    # -------------------------------------------------------- tasks

    def _dispatch(self) -> None:
        """Waiting tasks go to ready replicas with a free slot in turn: who took one goes to the end of the line."""
        while self.waiting and self.line:
            replica = self.line.popleft()
            replica.in_line = False
            if replica.draining or replica.ended is not None:
                continue
            task = self.waiting.popleft()
            self._changed[replica.name] = replica
            if len(replica.running) < self.slots:
                self._begin(replica, task)
            else:
                replica.reserved.append(task)
                self.reserved += 1
            self._line_up(replica)

    def _begin(self, replica: SimReplica, task: int) -> None:
        self.waits[task] = self.now - self.trace.arrivals[task]
        replica.running[task] = self.now
        replica.started += 1
        self.running += 1
        self._later(self.trace.runtimes[task], self._finish, replica, task)

    def _line_up(self, replica: SimReplica) -> None:
        held = len(replica.running) + len(replica.reserved)
        if replica.ready and not replica.draining and not replica.in_line and held < self.room:
            replica.in_line = True
            self.line.append(replica)

    def _give_back(self, replica: SimReplica) -> list[int]:
        """What it has only prefetched, to be put back to the head of the queue."""
        given, replica.reserved = list(replica.reserved), deque()
        self.reserved -= len(given)
        return given

    def _finish(self, replica: SimReplica, task: int) -> None:
        if replica.ended is not None:
            return  # it was killed, and the task runs elsewhere or waits
        self._end_task(replica, task)
        replica.finished += 1
        self.done += 1
        self._changed[replica.name] = replica
        if replica.reserved:
            self.reserved -= 1
            self._begin(replica, replica.reserved.popleft())
        self._line_up(replica)
        self._leave_if_done(replica)

    def _end_task(self, replica: SimReplica, task: int) -> None:
        self.busy_seconds += self.now - replica.running.pop(task)
        self.running -= 1

    # -------------------------------------------------------- replicas

    def _start(self, name: str) -> None:
        assert name not in self.replicas, "two replicas of one name"
        replica = SimReplica(name, self.now)
        self.replicas[name] = replica
        self.starts += 1
        self.alive += 1
        self.peak = max(self.peak, self.alive)
        self._relist(replica)
        self._later(next(self._boots), self._boot, replica)

    def _boot(self, replica: SimReplica, _: int) -> None:
        if replica.ended is None:
            replica.ready = True
            if self.conditions.told_boot != 1.0:
                replica.told_created = self.now - (self.now - replica.created) * self.conditions.told_boot
                self._relist(replica)
            self._changed[replica.name] = replica
            self._line_up(replica)

    def _drain(self, replica: SimReplica) -> None:
        if not replica.draining:
            replica.draining = True
            self._changed[replica.name] = replica
            self.waiting.extendleft(reversed(self._give_back(replica)))
            self._leave_if_done(replica)
            self._dispatch()

    def _leave_if_done(self, replica: SimReplica) -> None:
        if replica.draining and not replica.running:
            self._later(STOP_SECONDS, self._end, replica)

    def _end(self, replica: SimReplica, _: int = -1) -> None:
        if replica.ended is not None:
            return
        replica.ended = self.now
        self.alive -= 1
        self.worker_seconds += self.now - replica.created
        self._changed.pop(replica.name, None)
        self._voices.pop(f"celery@{replica.name}", None)
        self._relist(replica)

    def _kill(self, replica: SimReplica) -> None:
        """What it runs goes back to the head of the queue, as it was."""
        cut_off = sorted(replica.running)
        for task in cut_off:
            self._end_task(replica, task)
        self.interrupted += len(cut_off)
        self.waiting.extendleft(reversed([*cut_off, *self._give_back(replica)]))
        self._end(replica)
        self._dispatch()

    def close(self) -> None:
        """The end of the simulation: what still runs is paid until now, what still waits has waited until now."""
        for replica in self.replicas.values():
            if replica.ended is None:
                self.worker_seconds += self.now - replica.created
                self.busy_seconds += sum(self.now - begun for begun in replica.running.values())
        held = [task for replica in self.replicas.values() for task in replica.reserved]
        for task in (*self.waiting, *held, *range(self.arrived, len(self.trace))):
            self.waits[task] = max(0.0, self.now - self.trace.arrivals[task])

    # -------------------------------------------------------- eyes

    def look(self, policies: Policies, now: float) -> Observation:
        """All of it, as Flower and the engine would tell it; what did not change is the same value as in the last look."""
        self._update_voices()
        if self._containers is None:
            self._containers = Known(tuple(self._listed.values()), now, "fleet")
        if self.conditions.blind[0] <= now < self.conditions.blind[1]:
            return Observation(now, {queue: QueueSight(queue, _AWAY) for queue in self.queues}, {}, self._containers, _BLIND)
        first, *others = self.queues
        sights = {first: QueueSight(first, Known(len(self.waiting), now, "sim"))}
        for queue in others:
            sights[queue] = QueueSight(queue, _NONE_PREFETCHED)
        return Observation(now, sights, self._voices.copy(), self._containers, _UP)

    def _update_voices(self) -> None:
        for replica in self._changed.values():
            if replica.ready:
                self._voices[f"celery@{replica.name}"] = self._voice(replica)
        self._changed.clear()

    def _voice(self, replica: SimReplica) -> WorkerSight:
        now, reserved = self.now, len(replica.reserved)
        return WorkerSight(  # in the order of its fields: by name it takes three times as long
            f"celery@{replica.name}",
            _YES,
            Known(len(replica.running), now, "sim"),
            Known(reserved, now, "sim") if reserved else _NONE_PREFETCHED,
            _NOT_TOLD,
            _YES if replica.draining else _NO,
            _NOT_TOLD,
            Known(replica.started, now, "sim"),
            Known(replica.finished, now, "sim"),
        )

    def _relist(self, replica: SimReplica) -> None:
        """The engine's list shows the replica as it is now."""
        state = ContainerState.RUNNING if replica.ended is None else ContainerState.EXITED
        code = None if replica.ended is None else 0
        created = replica.created if replica.told_created is None else replica.told_created
        self._listed[replica.name] = Container(replica.name, replica.name, self.pool, state, created, "sim", code)
        self._containers = None

    # -------------------------------------------------------- hands

    def act(self, actions: tuple[Action, ...], now: float) -> tuple[Outcome, ...]:
        """Do it at once; nothing is ever refused here."""
        return tuple([self._do(action) for action in actions])

    def _do(self, action: Action) -> Outcome:
        match action.kind:
            case ActionKind.START:
                self._start(action.replica)
            case ActionKind.DRAIN:
                self._drain(self.replicas[action.replica])
            case ActionKind.KILL:
                self._kill(self.replicas[action.replica])
            case ActionKind.REMOVE:
                assert self.replicas.pop(action.replica).ended is not None, "a running replica was removed"
                del self._listed[action.replica]
                self._containers = None
                return Outcome(action, Result.DONE, self.now, exit=Exit(0))
        return Outcome(action, Result.DONE, self.now)
