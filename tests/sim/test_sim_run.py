"""The simulated world keeps every task, gives the same answer twice, and knows its queueing theory."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import BOOT, a_pool, pools, ran, traces

from autoscaler.model import Policies, TargetWait
from autoscaler.sim.arrivals import trace_of
from autoscaler.sim.run import Run, run, run_every_tick
from autoscaler.sim.score import score_run
from autoscaler.sim.world import Boot, Conditions


def told(run: Run) -> tuple:
    """All figures of a run, and every single wait."""
    return score_run(run, run.world.slots, 10.0), tuple(run.world.waits), run.held_down


conditions = st.builds(
    Conditions,
    prefetch=st.integers(0, 4),
    told_boot=st.sampled_from([0.3, 1.0, 2.0]),
    blind=st.sampled_from([(math.inf, math.inf), (30.0, 330.0), (100.5, 101.5)]),
)


@settings(max_examples=80, deadline=None)
@given(policy=pools, trace=traces, spread=st.sampled_from([0.0, 1.0]), conditions=conditions)
def test_every_task_is_done_once(policy, trace, spread, conditions):
    """Whatever the settings: all tasks are done, none interrupted unless drains may kill, and work is conserved."""
    run = ran(policy, trace, boot=Boot(3.0, spread), seed=7, conditions=conditions)
    assert run.world.done == len(trace)
    if not policy.kill_on_drain_timeout:
        assert run.world.interrupted == 0
        assert run.world.busy_seconds == pytest.approx(trace.work_seconds)
    assert min(run.world.waits) >= 0
    assert run.world.worker_seconds * policy.slots >= run.world.busy_seconds - 1e-6
    assert run.world.alive <= max(policy.replicas_min, 1)


@settings(max_examples=120, deadline=None)
@given(pools, traces, st.sampled_from([0.5, 1.0, 2.0, 0.7]), st.sampled_from([0.0, 0.5]), conditions)
def test_left_out_ticks_change_nothing(policy, trace, interval, spread, conditions):
    """With and without them every figure and every wait is the same, to the last bit."""
    arguments = {"interval": interval, "boot": Boot(3.0, spread), "seed": 3, "conditions": conditions}
    assert told(ran(policy, trace, **arguments)) == told(ran(policy, trace, skip=False, **arguments))


@pytest.mark.parametrize("sizing", [TargetWait(10.0), TargetWait(30.0)])
def test_left_out_ticks_are_many_and_change_nothing(sizing):
    """A long quiet task, a silent hour and a burst: nine in ten ticks are left out."""
    trace = trace_of([(0.0, 3000.0), (5.0, 3.0), (4000.5, 2.0), *((9000.0 + i / 10, 4.0) for i in range(50))])
    policy = a_pool(sizing=sizing, slots=2)
    quick, whole = ran(policy, trace), ran(policy, trace, skip=False)
    assert told(quick) == told(whole)
    assert quick.ticks * 10 < whole.ticks


long_silences = st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 900)), min_size=1, max_size=12).map(trace_of)
hours = st.lists(st.tuples(st.integers(0, 4), st.integers(4, 6)), min_size=1, max_size=5)


@settings(max_examples=25, deadline=None)
@given(pools, long_silences, hours)
def test_left_out_hours_change_nothing(policy, trace, bounds):
    """Where nothing happens for hours, and another schedule begins in each of them."""

    def at(now: float) -> Policies:
        least, most = bounds[int(now // 3600) % len(bounds)]
        return Policies("t", 20.0, 1000, {"p": replace(policy, replicas_min=least, replicas_max=most)})

    quick, whole = run(at, trace, BOOT), run_every_tick(at, trace, BOOT)
    assert (told(quick), quick.seconds) == (told(whole), whole.seconds)


def test_a_silent_night_costs_no_tick_a_minute():
    """Without schedules nobody has to look whether another one has begun."""
    run = ran(a_pool(), trace_of([(0.0, 5.0), (36_000.0, 5.0)]))
    assert run.ticks < 100


def test_same_seed_same_course():
    """Boot times are drawn from the seed alone."""
    trace = trace_of((3.0 * i, 5.0) for i in range(200))
    first, again, other = (told(ran(a_pool(), trace, boot=Boot(3.0, 1.0), seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_one_replica_is_a_queue_of_theory():
    """M/M/1 at half load: tasks of 2 s on average wait 2 s on average (rho / (1 - rho) times the runtime)."""
    chance, at, tasks = random.Random(5), 10.0, []
    for _ in range(40_000):
        at += chance.expovariate(0.25)
        tasks.append((at, chance.expovariate(0.5)))
    run = ran(a_pool(replicas_min=1, replicas_max=1), trace_of(tasks), interval=200.0)
    assert run.world.starts == 1
    assert math.fsum(run.world.waits) / len(tasks) == pytest.approx(2.0, rel=0.08)


def test_several_slots_are_a_queue_of_theory():
    """M/M/5 at 0.8, as one replica of five slots: Erlang C gives 0.554 of a runtime."""
    chance, at, tasks = random.Random(6), 10.0, []
    for _ in range(60_000):
        at += chance.expovariate(4.0)
        tasks.append((at, chance.expovariate(1.0)))
    run = ran(a_pool(replicas_min=1, replicas_max=1, slots=5), trace_of(tasks), interval=200.0)
    assert math.fsum(run.world.waits) / len(tasks) == pytest.approx(0.554, rel=0.1)


def test_a_killed_task_runs_again_from_the_start():
    """Only where drains may kill: the task goes back to the head of the queue and its wait counts to its last start."""
    policy = a_pool(kill_on_drain_timeout=True, drain_timeout_seconds=5.0, replicas_max=2, slots=2, sizing=TargetWait(0.0))
    run = ran(policy, trace_of([(0.0, 300.0), (0.0, 1.0), (0.0, 300.0), (0.0, 1.0)]))
    assert run.world.done == 4
    assert run.world.interrupted == 1
    assert max(run.world.waits) > 5.0
    assert run.world.busy_seconds > 602.0


def test_work_that_can_never_be_done_ends():
    """With no replica allowed the simulation gives up two days after the last arrival and says what was not done."""
    run = ran(a_pool(replicas_max=0), trace_of([(0.0, 1.0)]), interval=600.0)
    score = score_run(run, 1, 10.0)
    assert (score.done, score.slo_met, score.worker_seconds) == (0, 0.0, 0.0)
    assert score.wait_max_s == pytest.approx(2 * 86400.0, abs=1200.0)


def test_it_ends_when_nothing_is_left_to_do():
    """Soon after the last task, also where some replicas stay for ever."""
    for least in (0, 2):
        run = ran(a_pool(replicas_min=least, spare=1), trace_of([(0.0, 5.0), (60.0, 5.0)]))
        assert run.seconds < 600
        assert run.world.alive == least


def test_a_longer_boot_is_waited_for():
    """From zero, a task waits for the next look and for the boot."""
    run = ran(a_pool(), trace_of([(0.5, 1.0)]), boot=Boot(7.0))
    assert list(run.world.waits) == [7.5]
    assert run.world.worker_seconds > 8.0


def test_a_prefetching_worker_hides_tasks():
    """It holds six of eight, two of them running: a second worker comes for what waits, and a drain gives the rest back."""
    trace = trace_of([(0.0, 100.0)] * 8)
    calm, greedy = (ran(a_pool(slots=2, replicas_max=4), trace, conditions=Conditions(prefetch=n)) for n in (0, 2))
    assert (calm.world.peak, max(calm.world.waits)) == (4, 3.0)
    assert max(greedy.world.waits) >= 100.0  # prefetched by a worker that is busy
    assert greedy.world.done == 8


def test_a_boot_told_wrong_is_learned_wrong():
    """The policy believes the engine: tasks wait longer the faster starts look, but never without end."""
    trace = trace_of((60.0 * burst + 0.5 * i, 4.0) for burst in range(20) for i in range(20 + 4 * burst))
    policy = a_pool(sizing=TargetWait(15.0))
    waits = [max(ran(policy, trace, boot=Boot(8.0), conditions=Conditions(told_boot=told)).world.waits) for told in (2.0, 1.0, 0.3)]
    assert waits == sorted(waits)
    assert waits[1] <= 15.0 < waits[2] <= 15.0 + 8.0 + 2.0


def test_five_blind_minutes_stop_nothing():
    """While Flower is away nothing is taken away; what came meanwhile is served when it is back."""
    trace = trace_of([*((2.0 * i, 10.0) for i in range(100)), *((250.0 + i, 5.0) for i in range(50))])
    run = ran(a_pool(), trace, conditions=Conditions(blind=(150.0, 450.0)))
    counts = [replicas for at, replicas in zip(run.course.at, run.course.replicas, strict=True) if 151.0 <= at < 450.0]
    assert counts == sorted(counts)  # grew or stayed
    assert (run.world.done, run.world.interrupted) == (150, 0)
