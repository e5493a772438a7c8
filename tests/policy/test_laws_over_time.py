"""Laws that hold over many ticks, whatever happens between them."""

import math
from dataclasses import replace

from anything import a_memory, a_pool, a_steered_look, counts, dampings
from builders import NOW, a_policy, after, calm, decided, fleet, policies, pool_of, seen
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.model import ActionKind, Damping, Known, Memory, PoolMemory, PoolPolicy, Result
from autoscaler.policy.decide import decide
from autoscaler.report.plain import memory_from_json, memory_to_json

TICK_SECONDS = 2.0


class Course:
    """A pool whose orders are carried out by the next tick, under a load that is given."""

    def __init__(self, policy: PoolPolicy, count: int = 0) -> None:
        self.policy, self.counts, self.kept = policy, [count], PoolMemory()

    def tick(self, tasks: int) -> None:
        """One tick with so many tasks, as many of them running as there are slots."""
        now, slots = NOW + TICK_SECONDS * len(self.counts), self.policy.slots
        busy = [max(0, min(slots, tasks - slots * i)) for i in range(self.counts[-1])]
        look = seen(waiting=tasks - sum(busy), now=now, **fleet(*busy))
        memory = Memory({"p": self.kept})
        self.counts.append(decided(self.policy, look, memory, now).desired)
        # Names are given anew in each tick: who was told to leave has left, and must not be taken for one who stays.
        self.kept = replace(after(policies(self.policy), look, memory, now).of("p"), pending=(), drains=())


@given(a_pool(), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=25)
def test_constant_load_reaches_a_fixed_point(policy, count, tasks):
    """However it is damped, a pool under the same load comes to rest and stays there."""
    course = Course(replace(policy, replicas_min=0, replicas_max=3), count)
    for _ in range(120):
        course.tick(tasks)

    assert 1 == len(set(course.counts[-20:]))


@given(st.lists(counts, min_size=1, max_size=60), dampings, dampings)
@settings(max_examples=60)
def test_the_rate_is_that_of_a_naive_count(loads, up, down):
    """In no stretch of a period more comes or goes than from the count that really stood at its beginning."""
    up, down = (replace(d, period_seconds=40.0, stabilization_seconds=0.0, cooldown_seconds=0.0) for d in (up, down))
    course = Course(a_policy(replicas_max=50, scale_up=up, scale_down=down))
    for tasks in loads:
        course.tick(tasks)
        began_with, before, now = course.counts[max(0, len(course.counts) - 21)], course.counts[-2], course.counts[-1]
        assert now <= max(began_with + _most(up, began_with), before, 1)
        assert now >= min(began_with - _most(down, began_with), before)


def _most(damping: Damping, began_with: int) -> float:
    if damping.max_step is not None:
        return damping.max_step
    share = damping.max_step_percent
    return math.inf if share is None else max(1.0, math.ceil(began_with * share / 100.0))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=80))
def test_window_equals_a_naive_one(history):
    """The thinned window gives the same highest and lowest recommendation as remembering everything."""
    policy = a_policy(replicas_max=50, scale_down=Damping(stabilization_seconds=20.0))
    settings_, memory = policies(policy), calm(seen(waiting=0), policy)
    recommended = []
    for i, waiting in enumerate(history):
        now = NOW + TICK_SECONDS * i
        look = seen(waiting=waiting, now=now)
        recommended.append((now, pool_of(decide(settings_, look, memory, now)).recommended))
        memory = after(settings_, look, memory, now)
    since = recommended[-1][0] - 20.0
    naive = [n for at, n in recommended if at > since]
    kept = [n for at, n in memory.of("p").recommendations if at > since]
    assert (max(naive), min(naive)) == (max(kept), min(kept))
    assert len(memory.of("p").recommendations) <= 2 * 31


@given(a_pool(), a_steered_look(), a_memory())
def test_a_dry_run_decides_the_same_again(policy, look, memory):
    """What was not done on purpose leaves nothing behind that would change the next answer, once a second look has confirmed it."""
    settings_ = policies(policy)
    memory = after(settings_, look, memory, NOW, result=Result.NOTHING_TO_DO)
    once = pool_of(decide(settings_, look, memory, NOW))
    again = pool_of(decide(settings_, look, after(settings_, look, memory, NOW, result=Result.NOTHING_TO_DO), NOW))
    assert once.desired == again.desired
    assert [a for a in once.actions if a.kind is not ActionKind.START] == [a for a in again.actions if a.kind is not ActionKind.START]


@given(a_pool(), a_steered_look(), a_memory())
def test_memory_survives_being_written(policy, look, memory):
    """What the journal keeps is what was remembered, to the last bit."""
    kept = after(policies(policy), look, memory, NOW)
    assert kept == memory_from_json(memory_to_json(kept))


@given(a_pool(), a_steered_look(), a_memory())
def test_nobody_is_remembered_for_ever(policy, look, memory):
    """Names are forgotten with their containers, starts that never came after a minute."""
    kept = after(policies(policy), look, memory, NOW).of("p")
    assert isinstance(look.containers, Known)
    listed = {c.name for c in look.containers.value}
    named = {*kept.ready, *kept.starting, *kept.ended, *(d.replica for d in kept.drains), *(n for n, _ in (*kept.silent, *kept.unheard))}
    assert named <= listed | {n for n, _ in kept.pending}
    assert all(NOW - at <= 60 for _, at in kept.pending)
