"""Moves simulated time: the daemon's own `tick` every interval, and what happens in the world in between.

It ends when every task is done and the pool is back at the size it keeps without work, or at the latest two days after the last
arrival, for settings under which it never gets there.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from autoscaler.collector import without_collector
from autoscaler.loop import tick
from autoscaler.model import ActionKind, Memory, Policies, PoolPolicy, Record
from autoscaler.policy.reasons import Reason
from autoscaler.sim.arrivals import Trace
from autoscaler.sim.rest import carry, rests_until
from autoscaler.sim.world import CALM, Boot, Conditions, World

PATIENCE_SECONDS = 2 * 86400.0
"""After the last arrival, for work that is never done."""
SCHEDULE_SECONDS = 60.0
"""How often the bounds are asked for anew: cron lines count in minutes."""
MAXIMA = (Reason.TOO_MANY_REPLICAS, Reason.TOTAL_LIMIT)
"""Reasons of steps in which a number in the configuration keeps the count down."""

PoliciesAt = Callable[[float], Policies]
"""The policies with the bounds that hold so many seconds after the beginning of the trace; one pool only."""


@dataclass(slots=True)
class Course:
    """What could be seen at each tick, for the chart."""

    at: array[float] = field(default_factory=lambda: array("d"))
    waiting: array[int] = field(default_factory=lambda: array("q"))
    replicas: array[int] = field(default_factory=lambda: array("q"))

    def note(self, now: float, waiting: int, replicas: int) -> None:
        """One more tick."""
        self.at.append(now)
        self.waiting.append(waiting)
        self.replicas.append(replicas)


@dataclass(frozen=True, slots=True)
class Run:
    """A trace under one configuration, told to the end."""

    world: World
    course: Course
    reversals: int
    """How often the count turned from growing to shrinking or back."""
    ticks: int
    """Ticks that were made; the others were left out."""
    seconds: float
    """Simulated time."""
    held_down: Mapping[str, float] = field(default_factory=dict)
    """For how many seconds a maximum in the configuration kept the count down, by the words about it."""


def run(policies_at: PoliciesAt, trace: Trace, boot: Boot, *, seed: int = 0, conditions: Conditions = CALM) -> Run:
    """One trace from its beginning to its end; ticks that can change nothing are left out."""
    with without_collector():
        return _run(policies_at, trace, World(only(policies_at(0.0)), trace, boot, seed, conditions), skip=True)


def run_every_tick(policies_at: PoliciesAt, trace: Trace, boot: Boot, *, seed: int = 0, conditions: Conditions = CALM) -> Run:
    """The same with every tick: what `run` is held against."""
    return _run(policies_at, trace, World(only(policies_at(0.0)), trace, boot, seed, conditions), skip=False)


def _run(policies_at: PoliciesAt, trace: Trace, world: World, *, skip: bool) -> Run:
    policies = policies_at(0.0)
    policy, memory, course, turns = only(policies), Memory(), Course(), Turns()
    held_down: defaultdict[str, float] = defaultdict(float)
    last_arrival = trace.arrivals[-1] if len(trace) else 0.0
    interval, number, ticks = policies.interval_seconds, 0, 0
    per_schedule = ticks_per_schedule(interval)
    while True:
        now = number * interval
        if number % per_schedule == 0:
            policies = policies_at(now)
            policy = only(policies)
        world.advance(now)
        before = memory
        record, memory = tick(policies, before, world, world, now)
        ticks += 1
        turns.note(record)
        if maximum := _maximum(record):  # no tick is left out while more are wanted than there are
            held_down[maximum] += interval
        course.note(now, len(world.waiting), world.alive)
        if (world.done == len(trace) and _at_rest(record, policy.replicas_min)) or now > last_arrival + PATIENCE_SECONDS:
            break
        upto = number + 1
        if skip and (same := world.looks_same_until()) > upto * interval:
            quiet = min(rests_until(policy, record, before, memory, interval), same, last_arrival + PATIENCE_SECONDS)
            upto = max(upto, _bounds_hold_until(policies_at, policies, number, first_tick(quiet, interval)))
        if upto > number + 1:
            memory = carry(policy, memory, record, [n * interval for n in range(number + 1, upto)])
        number = upto
    world.close()
    return Run(world, course, turns.count, ticks, world.now, held_down)


def only(policies: Policies) -> PoolPolicy:
    """The one pool that is simulated."""
    (policy,) = policies.pools.values()
    return policy


def ticks_per_schedule(interval_seconds: float) -> int:
    """After how many ticks the bounds are asked for anew."""
    return max(1, round(SCHEDULE_SECONDS / interval_seconds))


def _bounds_hold_until(policies_at: PoliciesAt, policies: Policies, number: int, latest: int) -> int:
    """The first tick after this one to which other policies apply, at the latest this one."""
    step = ticks_per_schedule(policies.interval_seconds)
    upto = (number // step + 1) * step
    while upto < latest and policies_at(upto * policies.interval_seconds) == policies:
        upto += step
    return min(upto, latest)


def first_tick(at: float, interval_seconds: float) -> int:
    """The number of the first tick that is not before this moment.

    >>> first_tick(4.0, 2.0), first_tick(4.1, 2.0)
    (2, 3)
    """
    if at <= 0 or math.isinf(at):
        return 0 if at <= 0 else 1 << 62
    number = math.ceil(at / interval_seconds)
    while number * interval_seconds < at:  # a rounding of the division
        number += 1
    while (number - 1) * interval_seconds >= at:
        number -= 1
    return number


def _at_rest(record: Record, replicas_min: int) -> bool:
    """The pool has the size that it keeps without work, and nobody is on the way out."""
    (decided,) = record.decision.pools
    leaving = len(decided.view.replicas) > decided.current or decided.view.exited
    return not (leaving or decided.actions) and decided.current <= replicas_min


@dataclass(slots=True)
class Turns:
    """Counts changes of direction."""

    count: int = 0
    direction: ActionKind | None = None

    def note(self, record: Record) -> None:
        """One more tick."""
        if not record.outcomes:
            return
        kinds = [o.action.kind for o in record.outcomes if o.action.kind in (ActionKind.START, ActionKind.DRAIN)]
        if kinds:
            self.count += self.direction is not None and kinds[0] is not self.direction
            self.direction = kinds[0]


def _maximum(record: Record) -> str | None:
    """Words about the maximum that kept the count down in this tick, the lowest where there are several; None where none did."""
    (decided,) = record.decision.pools
    cut = [step.because for step in decided.steps if step.reason in MAXIMA and step.after < step.before]
    return cut[-1] if cut else None
