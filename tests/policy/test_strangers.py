"""Workers of others: counted as far as they are known, never touched."""

from dataclasses import replace

import pytest
from builders import NOW, a_policy, after, calm, container, decided, fleet, policies, seen, worker

from autoscaler.model import ActionKind, Known, Memory, Phase, PoolMemory


def stranger(running: int | None = 0, *, queues: tuple[str, ...] | None = ("p",), slots: int = 4, **changes):
    """A worker of somebody else, and what Flower knows of it."""
    voice = replace(worker("base", running, **changes), slots=Known(slots, NOW, "flower"))
    return replace(voice, queues=Known(queues, NOW, "flower")) if queues is not None else voice


@pytest.mark.parametrize(
    ("voice", "waited", "desired"),
    [
        pytest.param(stranger(0), 0.0, 0, id="its free slots take what waits"),
        pytest.param(stranger(3), 0.0, 2, id="as far as they are free"),
        pytest.param(stranger(0), 4.0, 3, id="a free slot that leaves a task waiting is none"),
        pytest.param(stranger(0, queues=("other",)), 0.0, 3, id="it consumes something else"),
        pytest.param(stranger(0, queues=None), 0.0, 3, id="nobody says what it consumes"),
        pytest.param(stranger(None), 0.0, 3, id="nobody says what it runs"),
        pytest.param(stranger(0, online=False), 0.0, 3, id="it is offline"),
        pytest.param(stranger(0, reserved=4), 0.0, 3, id="its slots are spoken for"),
    ],
)
def test_capacity_of_others(voice, waited, desired):
    """Three tasks wait and we have nobody: only what others will surely take at once is left to them."""
    memory = Memory({"p": PoolMemory(waiting_since=NOW - waited)})

    assert desired == decided(a_policy(), seen(waiting=3, workers=[voice]), memory).desired


def test_they_are_shown():
    """With what they run, in a phase of their own, and in no other number."""
    view = decided(a_policy(), seen(waiting=0, workers=[stranger(3)])).view

    assert [("celery@base", Phase.FOREIGN, 4, 3)] == [(r.name, r.phase, r.slots, r.running) for r in view.foreign]
    assert (1, 0, 0) == (view.count(Phase.FOREIGN), view.current, view.slots)


def test_they_are_never_touched():
    """Not to shrink, not to roll, and not when the pool leaves the file."""
    policy = a_policy(spec="new")
    there = fleet(0, 0)
    look = seen(waiting=0, containers=there["containers"], workers=(*there["workers"], stranger(0)))
    made = decided(policy, look, calm(look, policy))

    assert {"p0", "p1"} == {a.replica for a in made.actions if a.kind is ActionKind.DRAIN}


def test_the_trace_says_who_takes_them():
    """The number that decided stands beside the one that did not."""
    made = decided(a_policy(), seen(waiting=6, workers=[stranger(0)]))

    assert "2 waiting (and 4 that foreign workers take)" in made.steps[0].because


def test_a_stranger_that_serves_nobody_costs_two_looks():
    """Its slots look free and the tasks go on waiting: from the third look on the pool helps itself."""
    settings, memory, desired = policies(a_policy()), Memory(), []
    for look_number in range(3):
        now = NOW + 2 * look_number
        look = seen(waiting=3, workers=[stranger(0)], now=now)
        desired.append(decided(a_policy(), look, memory, now).desired)
        memory = after(settings, look, memory, now)

    assert [0, 0, 3] == desired


def test_our_own_are_no_strangers():
    """A worker in a container of ours counts there, whatever Flower knows of its queues."""
    voice = replace(stranger(1), name="celery@a")
    view = decided(a_policy(), seen(waiting=0, containers=[container("a")], workers=[voice])).view

    assert (0, 1) == (view.count(Phase.FOREIGN), view.current)
