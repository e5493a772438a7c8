"""What somebody would pay who knows the future: marks to hold a policy against, none of which any policy can know how to reach.

    clairvoyant_zero_wait   no task waits, every replica is up just when it is needed: the exact optimum for one slot, a lower bound
                            for more (tasks would have to move between replicas)
    clairvoyant_slo         a plan that lets tasks wait up to the target: one that can be had, so an upper bound on the best
    work_only               the tasks themselves, as if replicas came and went for nothing and were always full

A replica that is not needed for less than a start and a stop take is kept: `restart_seconds`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from autoscaler.sim.arrivals import Trace


@dataclass(slots=True)
class Period:
    """One replica's time between its first task and its last."""

    on: float
    off: float


@dataclass(frozen=True, slots=True)
class Plan:
    """When replicas are up, and how long each task waits."""

    periods: tuple[Period, ...]
    waits: Sequence[float]
    restart_seconds: float
    """What a replica costs beside its period: its start and its stop."""

    @property
    def worker_seconds(self) -> float:
        """Of all replicas, each from its start until it is gone."""
        return sum(p.off - p.on + self.restart_seconds for p in self.periods)

    @property
    def peak(self) -> int:
        """The most replicas at once."""
        count = most = 0
        for _, change in self._changes():
            count += change
            most = max(most, count)
        return most

    @property
    def reversals(self) -> int:
        """How often the count turns from growing to shrinking or back."""
        directions = [change for _, change in self._changes()]
        return sum(1 for before, after in pairwise(directions) if before != after)

    def _changes(self) -> list[tuple[float, int]]:
        """Single steps in order of time; at one moment replicas leave before others come."""
        return sorted([(p.on, 1) for p in self.periods] + [(p.off, -1) for p in self.periods])


def zero_wait(trace: Trace, slots: int, restart_seconds: float) -> Plan:
    """Level `i` is up while `ceil(running / slots) >= i`, and through gaps that are shorter than a restart.

    >>> from autoscaler.sim.arrivals import trace_of
    >>> zero_wait(trace_of([(0.0, 10.0), (2.0, 1.0), (13.0, 5.0)]), 1, 4.0).periods
    (Period(on=0.0, off=18.0), Period(on=2.0, off=3.0))
    """
    levels: list[Period] = []
    """The latest period of each level."""
    periods: list[Period] = []
    running = needed = 0
    for at, change in sorted(_steps(trace).items()):
        running += change
        before, needed = needed, math.ceil(running / slots)
        for level in range(needed, before):
            levels[level].off = at
        for level in range(before, needed):
            if level < len(levels) and at - levels[level].off < restart_seconds:
                continue
            period = Period(at, at)
            levels[level : level + 1] = [period]
            periods.append(period)
    return Plan(tuple(periods), [0.0] * len(trace), restart_seconds)


def _steps(trace: Trace) -> Counter[float]:
    """By how much the number of running tasks changes at each moment, if none waits."""
    steps: Counter[float] = Counter()
    for arrival, runtime in zip(trace.arrivals, trace.runtimes, strict=True):
        if runtime:
            steps[arrival] += 1
            steps[arrival + runtime] -= 1
    return steps


@dataclass(slots=True)
class _Booked:
    """A replica of a plan that is being made."""

    period: Period
    free: list[float]
    """When each of its slots is free again."""


def within_target(trace: Trace, slots: int, restart_seconds: float, target_seconds: float) -> Plan:
    """A greedy list schedule: each task goes where it starts in time and lengthens a replica's stay the least.

    Among equals it goes to the slot that is free last, which leaves the smallest gap; only where no slot is free in time does a
    replica come. One that would idle for as long as a restart takes is given up.

    >>> from autoscaler.sim.arrivals import trace_of
    >>> plan = within_target(trace_of([(0.0, 10.0), (2.0, 1.0), (13.0, 5.0)]), 1, 4.0, 10.0)
    >>> plan.periods, plan.waits
    ((Period(on=0.0, off=18.0),), [0.0, 8.0, 0.0])
    """
    periods: list[Period] = []
    waits: list[float] = []
    kept: list[_Booked] = []
    for arrival, runtime in zip(trace.arrivals, trace.runtimes, strict=True):
        kept = [replica for replica in kept if replica.period.off + restart_seconds > arrival]
        place = _cheapest(kept, arrival, runtime, arrival + target_seconds)
        if place is None:
            periods.append(Period(arrival, arrival))
            kept.append(_Booked(periods[-1], [arrival] * slots))
            place = kept[-1], 0
        replica, slot = place
        begins = max(arrival, replica.free[slot])
        waits.append(begins - arrival)
        replica.free[slot] = begins + runtime
        replica.period.off = max(replica.period.off, begins + runtime)
    return Plan(tuple(periods), waits, restart_seconds)


def _cheapest(kept: list[_Booked], arrival: float, runtime: float, latest: float) -> tuple[_Booked, int] | None:
    """The slot in which the task costs least, None where none is free in time."""
    best: tuple[_Booked, int] | None = None
    least, last = math.inf, 0.0
    for replica in kept:
        for slot, free in enumerate(replica.free):
            if free <= latest:
                longer = max(0.0, max(arrival, free) + runtime - replica.period.off)
                if longer < least or (longer == least and free > last):
                    best, least, last = (replica, slot), longer, free
    return best
