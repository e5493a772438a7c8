"""The promise of a target: on any day, nobody waits for longer than it and the time between two looks."""

from __future__ import annotations

import math
import random

import pytest
from small import a_pool, ran

from autoscaler.model import TargetWait
from autoscaler.sim.arrivals import Trace, trace_of


def a_day(seed: int) -> tuple[Trace, int, float]:
    """A quarter of an hour of tasks of one kind, short or long, that come in a tide and in rushes; slots, and a target."""
    chance = random.Random(seed)
    mean, slots, target = 10 ** chance.uniform(-0.8, 1.5), chance.choice([1, 1, 2, 4, 16]), chance.choice([5.0, 10.0, 10.0, 30.0])
    rate, rushes = chance.uniform(0.5, 8.0) * slots / mean, [chance.uniform(0.0, 900.0) for _ in range(chance.randint(0, 4))]
    rate, now, tasks = min(rate, 6.0), 0.0, []
    while now < 900.0:
        now += chance.expovariate(rate * (0.05 + math.sin(math.pi * now / 450.0) ** 2))
        tasks.append((now, chance.expovariate(1 / mean)))
    for at in rushes:
        tasks += [(at + chance.uniform(0.0, 3.0), chance.expovariate(1 / mean)) for _ in range(chance.randint(1, 120))]
    return trace_of(sorted(tasks)), slots, target


@pytest.mark.parametrize("seed", range(24))
def test_nobody_waits_longer_than_promised(seed: int) -> None:
    """Whatever the tasks, the slots and the target."""
    trace, slots, target = a_day(seed)
    world = ran(a_pool(slots=slots, replicas_max=5000, sizing=TargetWait(target)), trace).world

    assert max(world.waits) <= target + 1.0
    assert world.interrupted == 0


def test_a_rush_of_short_tasks_is_not_met_one_by_one() -> None:
    """2,000 tasks of a quarter of a second come at once: 100 workers start them all in time, so not many more may be started."""
    tasks = [*((1.01 * number, 0.25) for number in range(200)), *((210.0 + number / 2000, 0.25) for number in range(2000))]
    world = ran(a_pool(replicas_max=5000, sizing=TargetWait(10.0)), trace_of(tasks)).world

    assert max(world.waits) <= 10.0
    assert 72 <= world.starts < 150
