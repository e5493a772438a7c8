"""A busy worker is not drained before an idle one has been waited for, half as long as a task takes."""

import pytest
from builders import NOW, a_policy, after, decided, fleet, policies, seen

from autoscaler.model import Damping, Flow, Memory, PoolMemory
from autoscaler.policy.memory import resume
from autoscaler.policy.reasons import Reason

PAIRS = a_policy(slots=2)
"""Two slots each, a window of twelve seconds."""


def eight_seconds_each(since: float | None = None, runtime: float = 8.0) -> Memory:
    """Tasks take so long, an idle replica has been waited for since then, and no window holds anything back."""
    flow = Flow(at=NOW, busy_seconds=10 * runtime, done=10.0)
    long_ago, names = ((NOW - 3600, 0),), tuple(f"p{i}" for i in range(9))
    return Memory({"p": PoolMemory(long_ago, long_ago, flow=flow, ready=names, none_idle_since=since)})


@pytest.mark.parametrize(
    ("running", "memory", "left"),
    [
        pytest.param((1, 1, 1), eight_seconds_each(), 3, id="no one is idle"),
        pytest.param((1, 1, 1), eight_seconds_each(NOW - 3.9), 3, id="not for long enough"),
        pytest.param((1, 1, 1), eight_seconds_each(NOW - 4.0), 2, id="half a task long"),
        pytest.param((1, 0, 1), eight_seconds_each(), 2, id="the busy ones stay"),
        pytest.param((1, 1, 1, 0), eight_seconds_each(), 3, id="the idle one goes at once"),
        pytest.param((1, 1, 1, 0), eight_seconds_each(NOW - 4.0), 2, id="and the busy one when its time has come"),
        pytest.param((2, 2), eight_seconds_each(), 2, id="all are needed"),
        pytest.param((1, 1, 1), eight_seconds_each(NOW - 11.9, runtime=900.0), 3, id="long tasks"),
        pytest.param((1, 1, 1), eight_seconds_each(NOW - 12.0, runtime=900.0), 2, id="but no longer than the window"),
        pytest.param((1, 1, 1), Memory({"p": PoolMemory(recommendations=((NOW - 3600, 0),))}), 2, id="how long tasks take is not known"),
        pytest.param((1, 1, 1), eight_seconds_each(NOW + 500.0), 3, id="a clock that was set back"),
    ],
)
def test_who_is_left(running, memory, left):
    """How many replicas of two slots stay, where they run so many tasks each."""
    look = seen(waiting=0, **fleet(*running))
    made = decided(PAIRS, look, memory)

    assert (left, len(running) - left) == (made.desired, len(made.actions))


def test_it_says_why():
    """With numbers: who is busy, for how long it waits, and what that rests on."""
    step = decided(PAIRS, seen(waiting=0, **fleet(1, 1, 1)), eight_seconds_each(NOW - 1.5)).steps[-1]

    assert ("idle_first", 2, 3, Reason.NONE_IDLE) == (step.rule, step.before, step.after, step.reason)
    assert "3 of 3 are busy: an idle one is waited for, 2.5 s at most (tasks take 8.0 s)" == step.because


def test_no_window_no_wait():
    """`stabilization: 0s` waits for nobody."""
    at_once = a_policy(slots=2, scale_down=Damping(stabilization_seconds=0.0))

    assert 2 == decided(at_once, seen(waiting=0, **fleet(1, 1, 1)), eight_seconds_each()).desired


def test_bounds_do_not_wait():
    """What exceeds `replicas.max` is drained at once, busy or not."""
    assert 1 == decided(a_policy(slots=2, replicas_max=1), seen(waiting=0, **fleet(1, 1, 1)), eight_seconds_each()).desired


def test_the_wait_is_remembered():
    """From the first look that waits, until one does not; a new daemon begins anew."""
    held, calm = seen(waiting=0, **fleet(1, 1, 1)), seen(waiting=0, **fleet(2, 2, 2))
    first = after(policies(PAIRS), held, eight_seconds_each(), NOW)
    later = after(policies(PAIRS), held, first, NOW + 2)

    assert [NOW, NOW] == [memory.of("p").none_idle_since for memory in (first, later)]
    assert after(policies(PAIRS), calm, later, NOW + 3).of("p").none_idle_since is None
    assert resume(later).of("p").none_idle_since is None
