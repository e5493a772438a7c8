"""What is kept idle is what tasks are expected for; and what may wait for others to come does."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from builders import NOW, a_policy, container, decided, reading, seen, worker
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.model import BacklogPerReplica, Damping, Flow, Memory, PoolMemory, TargetWait, Thresholds
from autoscaler.policy.demand import Load, by_target_wait
from autoscaler.policy.expected import fewer_in_seconds, replicas_soon
from autoscaler.policy.flow import RATE_MEMORY_SECONDS
from autoscaler.policy.reasons import Reason

NAMES = ("a", "b", "c", "d", "e")
BY_ITSELF = a_policy(slots=1, sizing=Thresholds())
THIRTY = a_policy(slots=2, sizing=TargetWait(30.0))


def look(*running: int):
    """Workers that count their tasks and run so many; nothing waits."""
    told = [replace(worker(n, r), started=reading(10 + r), finished=reading(10)) for n, r in zip(NAMES, running, strict=False)]
    return seen(waiting=0, containers=[container(n) for n in NAMES[: len(running)]], workers=told)


def five_were_needed(rate: float, *, watched: float = 1000.0) -> Memory:
    """A moment ago, and so many tasks came each second of the last minute; a start takes 3 s and a stop 1 s."""
    flow = Flow(NOW, tuple((n, 10, 10) for n in NAMES), 50, 50, 100.0, 50.0, arrivals=((NOW, 50),), arrival_rate=rate)
    pool = PoolMemory(
        recommendations=((NOW - 1, 0),), needs=((NOW - 4, 5),), watched_since=NOW - watched, flow=flow, ready=NAMES, boot_seconds=3.0
    )
    return Memory({"p": pool})


@pytest.mark.parametrize(("rate", "kept"), [(0.0, 2), (0.05, 2), (0.07, 3), (0.25, 4), (0.33, 5), (9.0, 5)])
def test_as_many_idle_slots_as_tasks_are_expected_within_two_restarts(rate, kept):
    """Two run, a restart takes 4 s: at a quarter of a task a second two more come within 8 s. Never more than were needed."""
    made = decided(BY_ITSELF, look(1, 1, 0, 0, 0), five_were_needed(rate))

    assert kept == made.desired
    if 2 < kept < 5:
        assert f"of 5 needed within the last 12 s, {kept} will do for what runs and the {rate * 8:.1f} tasks" in made.steps[-1].because


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(replace(BY_ITSELF, scale_down=Damping(max_step_percent=100.0, stabilization_seconds=12.0)), id="set by hand"),
        pytest.param(replace(BY_ITSELF, sizing=BacklogPerReplica(1.0)), id="as the HPA"),
    ],
)
def test_a_window_that_is_meant_as_such_keeps_all_that_was_needed(policy):
    """Whoever writes a duration gets it, and the HPA's sizing has the HPA's window."""
    assert 5 == decided(policy, look(1, 1, 0, 0, 0), five_were_needed(0.0)).desired


def test_who_has_not_watched_for_the_whole_window_expects_nothing():
    """After a restart the rate may be anything: everything is kept until the window has been seen."""
    assert 5 == decided(BY_ITSELF, look(1, 1, 0, 0, 0), five_were_needed(0.0, watched=5.0)).desired


@given(st.integers(0, 40), st.integers(1, 16), st.floats(0.0, 100.0))
def test_it_is_known_when_fewer_will_do(busy, slots, expected):
    """At that moment, and not before: ticks until then may be left out of a simulation."""
    now, seconds = replicas_soon(busy, slots, expected), fewer_in_seconds(busy, slots, expected)
    if math.isinf(seconds):
        assert now == replicas_soon(busy, slots, 0.0)
        return
    left = [expected * math.exp(-(seconds + early) / RATE_MEMORY_SECONDS) for early in (-0.001, 0.001)]
    assert seconds < 0.001 or now == replicas_soon(busy, slots, left[0])
    assert now > replicas_soon(busy, slots, left[1])


# ---------------------------------------------------------------- what may wait


def some(waiting: int, *, replicas: int = 0, oldest: float = 0.0, rate: float = 0.0, runtime: float | None = 2.0, **changes) -> Load:
    """Tasks of a known length, a lead of 4 s, looks a second apart; a runtime of 0 for nobody who counts."""
    done = 0.0 if runtime is None else 10.0
    flow = Flow(NOW, busy_seconds=done * (runtime or 0.0), done=done, arrivals=((NOW - oldest, 0), (NOW, waiting)), arrival_rate=rate)
    whole = Load(waiting, 0, 0, 2 * replicas, replicas, oldest, flow, lead_seconds=4.0, interval_seconds=1.0)
    return replace(whole, **changes)


@pytest.mark.parametrize(
    ("load", "slots"),
    [
        pytest.param(some(2, rate=0.2), 0.0, id="five more are expected before it is due"),
        pytest.param(some(2, rate=1.5, oldest=25.0), 0.0, id="the last look at which it can wait"),
        pytest.param(some(2, rate=1.5, oldest=25.5), 2.0, id="it is due"),
        pytest.param(some(2, rate=0.01), 1.0, id="nobody is expected"),
        pytest.param(some(3, rate=0.2), 1.0, id="more than one replica takes at once"),
        pytest.param(some(2, rate=0.2, replicas=1, busy_least=2), 2.0, id="somebody is there anyway"),
    ],
)
def test_tasks_wait_for_others_to_share_a_start_with(load, slots):
    """From zero, where one replica takes them all and more will come in time; otherwise what the deadlines ask for, rounded up."""
    need = by_target_wait(load, THIRTY)

    assert Reason.TARGET_WAIT is need.reason
    assert slots == math.ceil(need.slots)


def test_nothing_is_started_while_tasks_wait_for_others():
    """Activation knows that this is meant, and the step says what is waited for."""
    memory = five_were_needed(0.5).of("p")
    calm = replace(memory, flow=replace(memory.flow, counters=(), at=NOW - 1), needs=(), ready=())
    made = decided(replace(THIRTY, slots=1), seen(waiting=1), Memory({"p": calm}))

    assert (0, Reason.TARGET_WAIT) == (made.desired, made.steps[-1].reason)
    assert "1 waiting + 0 busy of 0 slots, which may wait 25 s, and 12.7" in made.steps[-1].because


UNCOUNTED = Flow()


@pytest.mark.parametrize(
    ("load", "target", "slots"),
    [
        pytest.param(some(40, runtime=None), 30.0, 2, id="nobody is there"),
        pytest.param(some(40, runtime=None, replicas=3), 30.0, 6, id="those who are there find out"),
        pytest.param(some(40, runtime=None, oldest=25.5), 30.0, 40, id="due"),
        pytest.param(some(40, runtime=None), 7.9, 40, id="one could not tell in time"),
        pytest.param(some(40, runtime=None, flow=UNCOUNTED, nobody_ready=True), 30.0, 2, id="the first look of all"),
        pytest.param(some(40, runtime=None, flow=UNCOUNTED, nobody_ready=True, oldest_wait_seconds=4.5), 30.0, 40, id="the first is late"),
        pytest.param(some(40, runtime=None, flow=UNCOUNTED, replicas=1), 30.0, 40, id="nobody counts"),
        pytest.param(some(1, runtime=None), 30.0, 1, id="no more than there are tasks"),
    ],
)
def test_one_replica_finds_out_how_long_tasks_take(load, target, slots):
    """The others may wait for it as long as the target allows; not where it would come too late, or nobody counts tasks."""
    assert slots == by_target_wait(load, replace(THIRTY, sizing=TargetWait(target))).slots


def test_what_waited_before_anybody_counted_is_as_old_as_it_can_be():
    """The first worker is heard 4 s after the first tasks were seen, looks 2 s apart: they may wait for 6 s by then."""
    heard = seen(waiting=9, containers=[container("a")], workers=look(1).workers.values())
    waited = decided(THIRTY, heard, Memory({"p": PoolMemory(waiting_since=NOW - 4.0)})).view
    at_once = decided(THIRTY, heard, Memory()).view

    assert (6.0, ((NOW - 6.0, 0), (NOW, 9))) == (waited.oldest_wait_seconds, waited.flow.arrivals)
    assert (0.0, ((NOW, 9),)) == (at_once.oldest_wait_seconds, at_once.flow.arrivals)
