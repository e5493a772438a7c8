"""A rival in the loop's place: in the same world, with the same tasks and boots, and the same accounts.

It looks at its own period, from one mean boot before the trace begins, so that a pool that always has workers has them when the
first task comes. It ends with the last task: what a rival would have paid to shrink after that is left out, which is kind to slow
ones. Two days after the last arrival it ends in any case.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from random import Random

from autoscaler.model import Action, ActionKind, Policies
from autoscaler.sim.arrivals import Trace
from autoscaler.sim.rivals.catalog import Entry
from autoscaler.sim.rivals.mechanics import Mechanics
from autoscaler.sim.rivals.rival import Seen
from autoscaler.sim.run import PATIENCE_SECONDS, SCHEDULE_SECONDS, Course, PoliciesAt, Run, only
from autoscaler.sim.world import Boot, SimReplica, World


def contest(entry: Entry, policies_at: PoliciesAt, trace: Trace, boot: Boot, seed: int = 0) -> Run:
    """One trace from its beginning to its end under this rival, within the pool's bounds."""
    policies = policies_at(0.0)
    rival = entry.make(trace, only(policies).slots)
    pool = _Pool(World(only(policies), trace, boot, seed), entry.mechanics, Random(seed))  # noqa: S311 - a simulation, not a secret
    course = Course()
    ends = trace.arrivals[-1] + PATIENCE_SECONDS if len(trace) else 0.0
    begins, schedule_due, looks = -boot.mean_seconds, SCHEDULE_SECONDS, 0
    least, most = _bounds(policies)
    while True:
        now = begins + looks * rival.period_seconds
        pool.advance(min(now, ends))
        if pool.is_done or now >= ends:
            break
        if now >= schedule_due:
            (least, most), schedule_due = _bounds(policies_at(now)), now + SCHEDULE_SECONDS
        pool.become(min(max(rival.want(pool.seen(now)), least), most))
        course.note(now, len(pool.world.waiting), pool.world.alive)
        looks += 1
    pool.world.close()
    return Run(pool.world, course, pool.reversals, looks, pool.world.now)


def _bounds(policies: Policies) -> tuple[int, int]:
    policy = only(policies)
    return policy.replicas_min, min(policy.replicas_max, policies.max_replicas)


@dataclass(slots=True)
class _Pool:
    """The replicas that a rival has asked for, and those on their way out."""

    world: World
    mechanics: Mechanics
    chance: Random
    staying: list[SimReplica] = field(default_factory=list)
    booting: list[SimReplica] = field(default_factory=list)
    """Those of them that were not ready at the last look."""
    leaving: list[SimReplica] = field(default_factory=list)
    killed_at: deque[tuple[float, SimReplica]] = field(default_factory=deque)
    """When their grace ends; one grace for all, so they are in order."""
    reversals: int = 0
    direction: ActionKind | None = None
    tasks: int = field(init=False)
    last_arrival: float = field(init=False)

    def __post_init__(self) -> None:
        arrivals = self.world.trace.arrivals
        self.tasks, self.last_arrival = len(arrivals), arrivals[-1] if len(arrivals) else 0.0

    @property
    def is_done(self) -> bool:
        """Every task has been done."""
        return self.world.done == self.tasks

    def advance(self, until: float) -> None:
        """Let time pass; who has outstayed its grace is killed at that moment."""
        while self.killed_at and self.killed_at[0][0] <= until:
            at, replica = self.killed_at.popleft()
            self._pass(at)
            if replica.ended is None and not self.is_done:
                self._order(ActionKind.KILL, replica.name)
        self._pass(until)
        for replica in [replica for replica in self.leaving if replica.ended is not None]:
            self.leaving.remove(replica)
            self._order(ActionKind.REMOVE, replica.name)

    def _pass(self, until: float) -> None:
        """After the last arrival from event to event, to stop with the last task."""
        world = self.world
        if until < self.last_arrival:
            world.advance(until)
            return
        if world.now < self.last_arrival:
            world.advance(self.last_arrival)
        while not self.is_done and (at := world.next_event()) <= until:
            world.advance(at)
        if not self.is_done:
            world.advance(until)

    def seen(self, now: float) -> Seen:
        """What is shown to a rival."""
        world = self.world
        self.booting = [replica for replica in self.booting if not replica.ready]
        return Seen(
            at=now,
            waiting=len(world.waiting),
            oldest_wait_seconds=now - world.trace.arrivals[world.waiting[0]] if world.waiting else 0.0,
            running=world.running,
            running_here=world.running - sum(len(replica.running) for replica in self.leaving),
            replicas=self.staying,
            ready=len(self.staying) - len(self.booting),
            slots=world.slots,
            finished=world.done,
            finished_seconds=world.busy_seconds,
        )

    def become(self, count: int) -> None:
        """Start or let go as many as it takes."""
        missing = count - len(self.staying)
        if missing:
            turned = ActionKind.START if missing > 0 else ActionKind.DRAIN
            self.reversals += self.direction is not None and turned is not self.direction
            self.direction = turned
        for _ in range(missing):
            self._start()
        if missing < 0:
            for replica in self.mechanics.chosen(self.staying, -missing, self.chance):
                self._let_go(replica)
        for replica in self.staying:
            replica.was_idle = replica.ready and not replica.running

    def _start(self) -> None:
        name = f"{self.world.pool}-{self.world.starts}"
        self._order(ActionKind.START, name)
        self.staying.append(self.world.replicas[name])
        self.booting.append(self.staying[-1])

    def _let_go(self, replica: SimReplica) -> None:
        self.staying.remove(replica)
        if not replica.ready:
            self.booting.remove(replica)
        self.leaving.append(replica)
        if self.mechanics.grace_seconds < math.inf:
            self.killed_at.append((self.world.now + self.mechanics.grace_seconds, replica))
        self._order(ActionKind.DRAIN, replica.name)

    def _order(self, kind: ActionKind, name: str) -> None:
        self.world.act((Action(kind, self.world.pool, name),), self.world.now)
