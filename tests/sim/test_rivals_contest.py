"""Rivals stand in the same world with the same accounts: tasks are kept, work is conserved, and the same counts cost the same."""

import math
import random
from dataclasses import dataclass, field
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import BOOT, a_pool, pools, traces

from autoscaler.loop import tick
from autoscaler.model import Memory, Policies, PoolPolicy
from autoscaler.sim.arrivals import Trace, trace_of
from autoscaler.sim.rivals.catalog import CATALOG, Entry
from autoscaler.sim.rivals.contest import contest
from autoscaler.sim.rivals.fixed import Fixed
from autoscaler.sim.rivals.mechanics import DOCKER, KUBERNETES, OURS, Mechanics
from autoscaler.sim.rivals.rival import Seen
from autoscaler.sim.run import Run
from autoscaler.sim.simulate import compare
from autoscaler.sim.world import Boot, World


@dataclass
class Recorded:
    """Wants at each moment what somebody wanted before."""

    counts: dict[float, int]
    period_seconds: float = field(default=1.0, init=False)

    def want(self, seen: Seen) -> int:
        return self.counts.get(seen.at, 0)


def contested(rival, trace: Trace, policy: PoolPolicy, *, mechanics: Mechanics = OURS, boot: Boot = BOOT, seed: int = 0) -> Run:
    """One rival on one trace."""
    policies = Policies("t", 1.0, 1000, {policy.name: policy})
    entry = rival if isinstance(rival, Entry) else Entry("r", lambda *_: rival, mechanics, "")
    return contest(entry, lambda _: policies, trace, boot, seed)


whole = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 60)), min_size=1, max_size=25).map(trace_of)


@settings(max_examples=30, deadline=None)
@given(policy=pools, trace=whole)
def test_the_same_counts_cost_the_same(policy, trace):
    """What our own policy decided, decided again by a rival with our mechanics: every wait and the bill are the same."""
    policies = Policies("t", 1.0, 1000, {"p": a_pool(slots=policy.slots, sizing=policy.sizing, scale_down=policy.scale_down)})
    world, memory, counts, now = World(policies.pools["p"], trace, BOOT), Memory(), {}, 0.0
    while True:
        world.advance(now)
        if world.done == len(trace):
            break
        record, memory = tick(policies, memory, world, world, now)
        counts[now] = record.decision.pools[0].desired
        now += 1.0
    world.close()
    again = contested(Recorded(counts), trace, policies.pools["p"]).world
    assert list(world.waits) == list(again.waits)
    assert (world.starts, world.peak) == (again.starts, again.peak)
    assert world.worker_seconds == pytest.approx(again.worker_seconds)
    assert world.busy_seconds == pytest.approx(again.busy_seconds)


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(list(CATALOG)), policy=pools, trace=traces, spread=st.sampled_from([0.0, 1.0]))
def test_every_rival_keeps_every_task(name, policy, trace, spread):
    """All are done, within the bounds; with our drains none is killed, and then no work is done twice."""
    run = contested(CATALOG[name], trace, policy, boot=Boot(3.0, spread), seed=7)
    assert run.world.done + len(run.world.waiting) + run.world.running == len(trace)
    assert min(run.world.waits) >= 0
    assert run.world.worker_seconds * policy.slots >= run.world.busy_seconds - 1e-6
    assert run.world.busy_seconds >= trace.work_seconds - 1e-6 or run.world.done < len(trace)
    if CATALOG[name].mechanics is OURS:
        assert run.world.interrupted == 0
        assert run.world.done == len(trace)
        assert run.world.busy_seconds == pytest.approx(trace.work_seconds)


@pytest.mark.parametrize("name", CATALOG)
def test_same_seed_same_course(name):
    """Boots and victims are drawn from the seed alone."""
    chance = random.Random(3)
    trace = trace_of((chance.uniform(0, 900), chance.expovariate(0.05)) for _ in range(200))
    runs = [contested(CATALOG[name], trace, a_pool(slots=2), boot=Boot(3.0, 1.0), seed=seed) for seed in (1, 1, 2)]
    first, again, other = ((tuple(run.world.waits), run.world.worker_seconds) for run in runs)
    assert first == again
    assert first != other or name.startswith("fixed")


def drawn(chance: random.Random, mean: float) -> list[float]:
    """Exponential values with exactly this mean, so that less is left to chance."""
    values = [chance.expovariate(1.0) for _ in range(60_000)]
    scale = mean * len(values) / math.fsum(values)
    return [value * scale for value in values]


@pytest.mark.parametrize(("servers", "load", "wait"), [(5, 0.8, 0.554), (8, 0.7, 0.113)])
def test_a_fixed_pool_is_a_queue_of_theory(servers, load, wait):
    """M/M/c by Erlang C: five workers at 80 % let a task wait 0.554 of a runtime, eight at 70 % 0.113."""
    chance = random.Random(4)
    gaps, runtimes = (drawn(chance, mean) for mean in (1 / servers / load, 1.0))
    trace = Trace(list(accumulate(gaps)), runtimes)
    run = contested(Fixed(servers), trace, a_pool())
    assert run.world.starts == servers
    assert math.fsum(run.world.waits) / len(trace) == pytest.approx(wait, rel=0.1)


def test_a_pool_that_is_always_there_is_there_at_the_beginning():
    """It was started in time for the first task, and is paid until the last."""
    run = contested(Fixed(2), trace_of([(0.0, 10.0), (0.0, 30.0)]), a_pool())
    assert list(run.world.waits) == [0.0, 0.0]
    assert run.world.worker_seconds == 2 * 33.0


@pytest.mark.parametrize(("mechanics", "killed", "done_at"), [(OURS, 0, 100.0), (KUBERNETES, 1, 139.0), (DOCKER, 1, 119.0)])
def test_who_outstays_its_grace_is_killed(mechanics, killed, done_at):
    """A task of a hundred seconds whose worker has to leave at nine: it ends, or runs again from the start when the grace is over."""
    counts = {float(at): int(at < 9 or at >= 11) for at in range(-3, 200)}
    run = contested(Recorded(counts), trace_of([(0.0, 100.0)]), a_pool(), mechanics=mechanics)
    assert (run.world.interrupted, run.seconds) == (killed, done_at)


def test_a_killed_task_stands_at_the_head_again():
    """It is the next to run, before those that waited all the time."""
    counts = {float(at): int(at < 5 or at >= 40) for at in range(-3, 500)}
    run = contested(Recorded(counts), trace_of([(0.0, 50.0), (1.0, 5.0)]), a_pool(), mechanics=KUBERNETES)
    assert run.world.interrupted == 1
    assert list(run.world.waits) == [43.0, 92.0]


def test_a_replica_leaves_that_disturbs_least():
    """Our mechanics let go of one that boots, before an idle one, before a busy one; the youngest first."""
    from shown import replicas

    here = replicas([2, 0, 1, 0], starting=2)
    assert [replica.name for replica in OURS.chosen(here, 6, random.Random(0))] == ["s1", "s0", "r3", "r1", "r2", "r0"]
    assert [replica.name for replica in DOCKER.chosen(here, 3, random.Random(0))] == ["s1", "s0", "r3"]
    assert {replica.name for replica in KUBERNETES.chosen(here, 2, random.Random(0))} == {"s0", "s1"}
    picked = {KUBERNETES.chosen(here, 3, random.Random(seed))[2].name for seed in range(40)}
    assert picked == {"r0", "r1", "r2", "r3"}


def test_the_table_of_a_comparison():
    """Ours, the bounds, then the rivals as they were asked for, all against the pool's own target."""
    trace = trace_of((3.0 * i, 8.0) for i in range(50))
    policies = Policies("t", 1.0, 30, {"p": a_pool()})
    rows = compare(lambda _: policies, trace, BOOT, rivals=["keda_tuned", "fixed_at_peak"])
    names = ["autoscaler", "clairvoyant_zero_wait", "clairvoyant_slo", "work_only", "keda_tuned", "fixed_at_peak"]
    assert [row.policy for row in rows] == names
    assert {row.slo_target_s for row in rows} == {15.0}
    assert rows[-1].wait_max_s == 0


def test_the_bounds_hold_for_rivals_too():
    """The pool's own and the one over all pools."""
    trace = trace_of((i / 10, 30.0) for i in range(200))
    policies = Policies("t", 1.0, 7, {"p": a_pool(replicas_min=2, replicas_max=9)})
    run = contest(Entry("r", lambda *_: Fixed(50), OURS, ""), lambda _: policies, trace, BOOT)
    assert run.world.starts == 7
    run = contest(Entry("r", lambda *_: Fixed(0), OURS, ""), lambda _: policies, trace, BOOT)
    assert run.world.starts == 2
