"""Tasks out of counts: as many, as much work, as long waits as there really were; and an estimate that can be trusted."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from lived import alone, life, looks_of
from small import a_pool, pools, ran, traces

from autoscaler.errors import TraceUnusable
from autoscaler.model import Damping, TargetWait
from autoscaler.report.journal import Journal
from autoscaler.report.ticks import PoolTick, Rare
from autoscaler.sim.arrivals import Trace, trace_of
from autoscaler.sim.reconstruct import Rebuilt, rebuild, trace_of_journal
from autoscaler.sim.retrace import estimate, measured
from autoscaler.sim.score import score_run
from autoscaler.sim.world import Boot


def ticks_of(policy, trace: Trace) -> list[PoolTick]:
    """The pool's ticks while this policy has the trace done."""
    return [look.pools["p"] for look in looks_of(life(policy, trace))]


def a_day(seed: int = 2, tasks: int = 250) -> Trace:
    """Bursts and quiet stretches, runtimes of all lengths."""
    chance, at, found = random.Random(seed), 10.0, []
    for _ in range(tasks):
        at += chance.expovariate(0.5 if int(at / 200) % 2 else 0.05)
        found.append((at, chance.lognormvariate(1.5, 1.0)))
    return trace_of(found)


# ---------------------------------------------------------------- the tasks


@settings(max_examples=20, deadline=None)
@given(policy=pools, trace=traces)
def test_no_task_is_lost_or_made_up(policy, trace):
    """As many tasks as came, in the order in which they came, each within a look of its time; once somebody is there to count."""
    policy = replace(policy, kill_on_drain_timeout=False, replicas_min=1)
    trace = Trace([at + 10.0 for at in trace.arrivals], trace.runtimes)
    again = rebuild(ticks_of(policy, trace))

    assert len(again.trace) == len(trace)
    assert again.still_running == 0
    assert all(abs(found - real) <= 1.0 for found, real in zip(again.trace.arrivals, trace.arrivals, strict=True))


def test_work_and_waits_are_what_they_were():
    """The work to within a few percent, every wait to within two looks."""
    trace, policy = a_day(), a_pool(slots=2, sizing=TargetWait(20.0))
    real = ran(policy, trace).world
    again = rebuild(ticks_of(policy, trace))

    assert again.trace.work_seconds == pytest.approx(trace.work_seconds, rel=0.03)
    assert max(abs(found - wait) for found, wait in zip(again.waits, real.waits, strict=True)) <= 2.0
    assert max(real.waits) > 10.0
    assert again.boot_seconds == 3.0


def told(*rows: tuple[int, int, int], rare: Rare = Rare()) -> Rebuilt:  # noqa: B008 - frozen
    """Rebuilt from (waiting, running, started) at looks of 2 s."""
    return rebuild([PoolTick(2.0 * n, "p", q, b, 1, 0, 0, 1, "", b, s, 0, 3.0, 1.0, rare) for n, (q, b, s) in enumerate(rows)])


def test_what_was_there_first_came_first():
    """Tasks that ran and waited at the first look begin the trace."""
    again = told((2, 1, 40), (1, 1, 41), (0, 1, 42), (0, 0, 42))

    assert list(again.trace.arrivals) == [0.0, 0.0, 0.0]
    assert list(again.waits) == [0.0, 1.0, 3.0]
    assert list(again.trace.runtimes) == [1.0, 2.0, 2.0]


def test_what_never_ended_is_said():
    """A task that still runs at the last look runs at least so long, and as long as the others did."""
    again = told((0, 1, 1), (0, 1, 2), (0, 1, 2), (0, 1, 2))

    assert again.still_running == 1
    assert list(again.trace.runtimes) == [1.0, 6.0]


def test_counters_that_began_anew_count_on():
    """A daemon that lost its memory counts from 0: the tasks before are not forgotten, none is made up."""
    assert len(told((0, 0, 50), (1, 0, 50), (0, 1, 51), (0, 0, 0), (0, 1, 1), (0, 0, 1)).trace) == 2


def test_prefetched_tasks_still_wait():
    """A task that a worker has taken and not begun has come, but was not begun."""
    assert list(told((0, 1, 1), (0, 1, 1), rare=Rare(reserved=3)).waits) == [0.0, 2.0, 2.0, 2.0]


def test_a_start_takes_what_it_took():
    """Not what was assumed before the first one, nor the slowest of all: on average, to within a look; where none is taken back."""
    patient = a_pool(scale_down=Damping(stabilization_seconds=200.0))
    ticks = [look.pools["p"] for look in looks_of(life(patient, a_day(tasks=80), boot=Boot(6.0, 0.8)))]
    starts = sum(tick.rare.up for tick in ticks)
    took = list(islice(Boot(6.0, 0.8).draws(3), starts))

    assert rebuild(ticks).boot_seconds == pytest.approx(math.fsum(took) / starts, abs=1.0)
    assert max(took) > math.fsum(took) / starts + 2.0


@pytest.mark.parametrize(
    ("rows", "message"),
    [([], "nobody counted"), ([(0, 0, 5)], "nobody counted"), ([(0, 0, 5), (0, 0, 5)], "no task came in this time")],
)
def test_where_nothing_can_be_rebuilt_it_is_said(rows, message):
    """In words, and that a replay of the decisions is possible all the same."""
    with pytest.raises(TraceUnusable, match=message):
        told(*rows)


def test_a_journal_gives_its_trace(tmp_path: Path):
    """By its path and the pool's name; a pool that it does not know is named beside those that it does."""
    journal = Journal(tmp_path / "j")
    for number, kept in enumerate(life(a_pool(), a_day(tasks=40))):
        journal.record(*kept)
        if number % 300 == 0:
            journal.flush()
    journal.close()

    assert len(trace_of_journal(tmp_path / "j", "p").trace) == 40
    with pytest.raises(TraceUnusable, match="tells nothing of a pool 'q': it has p"):
        trace_of_journal(tmp_path / "j", "q")


# ---------------------------------------------------------------- the estimate


def test_an_estimate_is_near_the_truth():
    """What another configuration would have cost, told from the counts alone, against what it really costs on these tasks."""
    trace, then, now = a_day(), a_pool(slots=2), a_pool(slots=2, sizing=TargetWait(30.0))
    ticks = ticks_of(then, trace)
    told = estimate(lambda _: alone(now), rebuild(ticks), ticks)
    truth, real = score_run(ran(now, trace), 2, 30.0), measured(ticks, rebuild(ticks))

    assert told.config.worker_seconds == pytest.approx(truth.worker_seconds, rel=0.08)
    assert told.config.wait_p95_s == pytest.approx(truth.wait_p95_s, abs=2.0)
    assert told.config.wait_max_s == pytest.approx(truth.wait_max_s, abs=6.0)
    assert told.happened.worker_seconds == pytest.approx(real.worker_seconds, rel=0.05)
    assert told.cost_ratio == pytest.approx(truth.worker_seconds / score_run(ran(then, trace), 2, 30.0).worker_seconds, abs=0.05)
    assert real.starts == ran(then, trace).world.starts


def test_the_same_configuration_costs_the_same():
    """Simulating the decisions, and the configuration that made them, comes to the same within a few percent."""
    policy = a_pool(slots=2, sizing=TargetWait(10.0))
    ticks = ticks_of(policy, a_day())

    assert estimate(lambda _: alone(policy), rebuild(ticks), ticks).cost_ratio == pytest.approx(1.0, abs=0.04)


def test_what_was_measured_is_a_sum():
    """Workers that leave are paid until they are gone; a long pause is nobody's time."""
    ticks = [PoolTick(at, "p", 0, 0, 2, 1, 1, 3, "", 0, 0, 0, 3.0, 1.0, Rare(up=2, lost=1)) for at in (0.0, 2.0, 4.0, 900.0)]

    assert (measured(ticks, None).worker_seconds, measured(ticks, None).starts) == (5 * 4.0, 8)
    assert math.isclose(measured(ticks, None).broker_commands, 20 / 60 * 106 + 8 * 125, abs_tol=1)
