"""The bounds against all plans there are, on traces small enough to try them all."""

import math
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import traces

from autoscaler.sim.arrivals import Trace, trace_of
from autoscaler.sim.bounds import within_target, zero_wait

tiny = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)), min_size=1, max_size=6).map(trace_of)
RESTART = 4.0


def up(stays: list[tuple[float, float]]) -> float:
    """What one replica costs that must be up in these times: gaps are bridged or paid with a restart, whichever is cheaper."""
    if not stays:
        return 0.0
    merged = [list(sorted(stays)[0])]
    for since, until in sorted(stays):
        if since <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], until)
        else:
            merged.append([since, until])
    gaps = [after[0] - before[1] for before, after in pairwise(merged)]
    return sum(b - a for a, b in merged) + RESTART + sum(min(gap, RESTART) for gap in gaps)


def fits(stays: list[tuple[float, float]], slots: int) -> bool:
    """No more than `slots` of these at once."""
    return all(sum(a <= at < b for a, b in stays) <= slots for at, _ in stays)


def cheapest(trace: Trace, slots: int) -> float:
    """The best of all ways to give tasks to replicas so that none waits."""
    stays = [(a, a + r) for a, r in zip(trace.arrivals, trace.runtimes, strict=True)]
    best = math.inf
    for places in product(*(range(index + 1) for index in range(len(stays)))):
        homes = [[stay for stay, at in zip(stays, places, strict=True) if at == home] for home in range(len(stays))]
        if all(fits(home, slots) for home in homes):
            best = min(best, sum(up(home) for home in homes))
    return best


@settings(max_examples=60, deadline=None)
@given(trace=tiny)
def test_zero_wait_is_the_optimum_for_one_slot(trace):
    """No plan that lets nobody wait is cheaper, and one is as cheap."""
    assert zero_wait(trace, 1, RESTART).worker_seconds == pytest.approx(cheapest(trace, 1))


@settings(max_examples=40, deadline=None)
@given(trace=tiny, slots=st.integers(2, 3))
def test_zero_wait_is_below_every_plan_for_more_slots(trace, slots):
    """It is a lower bound, and never below the work itself."""
    plan = zero_wait(trace, slots, RESTART)
    assert trace.work_seconds / slots <= plan.worker_seconds <= cheapest(trace, slots) + 1e-9


@settings(max_examples=40, deadline=None)
@given(trace=tiny)
def test_a_target_of_zero_lets_nobody_wait(trace):
    """Then the greedy plan is one of those that let nobody wait."""
    plan = within_target(trace, 1, RESTART, 0.0)
    assert max(plan.waits) == 0
    assert plan.worker_seconds >= cheapest(trace, 1) - 1e-9


@settings(max_examples=100, deadline=None)
@given(trace=traces, slots=st.integers(1, 3), target=st.sampled_from([0.0, 5.0, 30.0]))
def test_the_plan_within_the_target_can_be_had(trace, slots, target):
    """Every wait is within the target, and at no moment more tasks run than the replicas that are up have slots."""
    plan = within_target(trace, slots, RESTART, target)
    stays = [(a + w, a + w + r) for a, w, r in zip(trace.arrivals, plan.waits, trace.runtimes, strict=True)]
    assert all(0 <= wait <= target for wait in plan.waits)
    assert plan.worker_seconds >= trace.work_seconds / slots
    for at, _ in stays:
        running = sum(a <= at < b for a, b in stays)
        assert running <= slots * sum(p.on <= at < p.off for p in plan.periods)


def test_waiting_is_cheaper_than_not():
    """A burst of ten on one slot each: ten replicas without waiting, three when each may wait 6 s."""
    burst = trace_of([(0.0, 2.0)] * 10)
    assert zero_wait(burst, 1, RESTART).peak == 10
    assert within_target(burst, 1, RESTART, 6.0).peak == 3
    assert zero_wait(burst, 1, RESTART).reversals == 1
