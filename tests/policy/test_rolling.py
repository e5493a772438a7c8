"""Replacing workers of an earlier spec."""

from dataclasses import replace

import pytest
from builders import NOW, a_policy, calm, container, decided, policies, seen, worker

from autoscaler.model import ActionKind, Damping, Memory, Order, OrderKind, PoolPolicy
from autoscaler.policy.decide import decide
from autoscaler.policy.reasons import Reason

POLICY = a_policy(spec="new")


def look(old: dict[str, int | None], new: dict[str, int | None] | None = None, *, starting: int = 0, waiting: int | None = 0):
    """Ready workers of both kinds and what each runs; new ones that are not heard yet."""
    names = {**old, **(new or {})}
    there = [container(n, spec="old" if n in old else "new", age=300 if n in old else 30) for n in names]
    there += [container(f"s{i}", spec="new", age=1) for i in range(starting)]
    return seen(waiting=waiting, containers=there, workers=[worker(n, r) for n, r in names.items()])


def roll(sight, policy: PoolPolicy = POLICY, **memory) -> tuple[int, list[tuple[ActionKind, str]]]:
    """The count, and what is done to whom (starts have no name)."""
    known = calm(sight).of("p")
    made = decided(policy, sight, Memory({"p": replace(known, **memory)}))
    return made.desired, [(a.kind, "" if a.kind is ActionKind.START else a.replica) for a in made.actions]


START, DRAIN = ActionKind.START, ActionKind.DRAIN


@pytest.mark.parametrize(
    ("sight", "expected"),
    [
        pytest.param(look({"a": 1, "b": 1}), (3, [(START, "")]), id="one more than needed"),
        pytest.param(look({"a": 1, "b": 1}, starting=1), (3, []), id="kept while it starts"),
        pytest.param(look({"a": 1, "b": 0}, {"n": 0}), (1, [(DRAIN, "b"), (DRAIN, "a")]), id="nothing is replaced that no work needs"),
        pytest.param(look({"a": 1, "b": 1}, {"n": 0}), (2, [(DRAIN, "a")]), id="an old one leaves, also a busy one"),
        pytest.param(look({"b": 1}, {"n": 1}), (3, [(START, "")]), id="then the next"),
        pytest.param(look({}, {"m": 1, "n": 1}), (2, []), id="until all are new"),
        pytest.param(look({"a": 1, "b": 1}, waiting=4), (6, [(START, "")] * 4), id="growth needs no surge: all starts are new"),
        pytest.param(look({"a": 0, "b": 0}), (0, [(DRAIN, "a"), (DRAIN, "b")]), id="idle ones just leave"),
        pytest.param(look({"a": 1, "b": 1}, waiting=None), (2, []), id="not while blind"),
    ],
)
def test_a_roll_step_by_step(sight, expected):
    """Start one, wait until it is heard, drain one, begin again; never fewer than the work needs."""
    count, actions = roll(sight)

    assert expected == (count, sorted(actions, key=lambda a: expected[1].index(a) if a in expected[1] else 99))


def test_at_the_maximum_in_place():
    """Where replicas.max leaves no room for one more, the cheapest old one is drained first; one at a time."""
    tight = replace(POLICY, replicas_max=2)

    assert (2, [(DRAIN, "b")]) == roll(look({"a": 2, "b": 1}, waiting=3), tight)
    assert (2, []) == roll(look({"a": 1}, starting=1, waiting=3), tight)
    assert (2, [(START, "")]) == roll(look({"a": 1}, waiting=3), tight)


def test_several_at_a_time():
    """As many as `scale_up.max_step` allows."""
    policy = replace(POLICY, scale_up=Damping(max_step=2, stabilization_seconds=0.0))

    assert (5, [(START, "")] * 2) == roll(look({"a": 1, "b": 1, "c": 1}), policy)


@pytest.mark.parametrize(
    ("memory", "left"),
    [pytest.param({"failures": 2, "backoff_until": NOW + 40}, 40, id="backing off"), pytest.param({}, None, id="healthy")],
)
def test_new_workers_that_fail_pause_it(memory, left):
    """The old ones go on working, and the trace says for what they wait."""
    sight = look({"a": 1, "b": 1})
    made = decided(POLICY, sight, Memory({"p": replace(calm(sight).of("p"), **memory)}))
    (step,) = [s for s in made.steps if s.reason is Reason.ROLLING]

    assert (2 if left else 3) == made.desired
    assert (f"the next start is in {left} s" in step.because) == bool(left)


def test_a_paused_pool_is_not_rolled():
    """No change means no replacement either."""
    sight = look({"a": 1, "b": 1})
    order = Order(OrderKind.PAUSE, "p", at=NOW - 5, by="anna")

    assert (2, []) == roll(replace(sight, orders={"p": (order,)}))


def test_the_cap_over_all_pools_holds():
    """Without room on the host there is no surge: the old ones stay until there is."""
    sight = look({"a": 1, "b": 1})
    made = decide(policies(POLICY, max_replicas=2), sight, calm(sight), NOW).pools[0]

    assert (2, ()) == (made.desired, made.actions)


def test_a_minimum_is_rolled_without_work():
    """Workers that replicas.min keeps are replaced, too."""
    assert (3, [(START, "")]) == roll(look({"a": 0, "b": 0}), replace(POLICY, replicas_min=2))


def test_what_a_cooldown_keeps_is_not_replaced():
    """A surplus that only a cooldown holds back leaves first; otherwise the pool would grow with every look."""
    slow = replace(POLICY, scale_down=Damping(cooldown_seconds=60.0, stabilization_seconds=0.0))

    assert (3, []) == roll(look({"a": 1, "b": 1}, {"n": 0}), slow, last_down=NOW - 5)


def test_a_moved_image_rolls_like_a_changed_spec():
    """The same spec, and its image's name stands for another image by now."""
    there = [container("a", spec="new", image_moved=True)]

    assert (2, [(START, "")]) == roll(seen(waiting=0, containers=there, workers=[worker("a", 1)]))


def test_without_a_known_spec_nobody_is_out_of_date():
    """A pool that is being removed, or a simulated one."""
    assert (2, []) == roll(look({"a": 1, "b": 1}), a_policy())
