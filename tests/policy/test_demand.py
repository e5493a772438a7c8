"""Sizing by thresholds: how many replicas the work asks for."""

import pytest
from builders import NOW, a_policy, calm, container, decided, fleet, seen, worker

from autoscaler.model import Memory, PoolMemory, Thresholds
from autoscaler.policy.reasons import Reason


@pytest.mark.parametrize(
    ("waiting", "running", "slots", "wanted"),
    [
        pytest.param(0, [], 1, 0, id="nothing at all"),
        pytest.param(1, [], 1, 1, id="one task from zero"),
        pytest.param(12, [], 4, 3, id="whole need at once from zero"),
        pytest.param(13, [], 4, 4, id="rounded up"),
        pytest.param(12, [4, 4], 4, 5, id="busy and waiting"),
        pytest.param(3, [0, 4], 4, 2, id="free slots take what waits"),
        pytest.param(0, [1, 0, 0], 1, 1, id="idle replicas are not needed"),
        pytest.param(99, [], 1, 10, id="capped by max"),
    ],
)
def test_whole_need_in_one_step(waiting, running, slots, wanted):
    """One slot for each task that runs or waits, in one step."""
    policy = a_policy(slots=slots)
    idle = seen(waiting=0, **fleet(*running))

    assert wanted == decided(policy, seen(waiting=waiting, **fleet(*running)), calm(idle, policy)).desired


@pytest.mark.parametrize(
    ("extra", "waited", "desired", "reason"),
    [
        pytest.param(10, 0, 1, Reason.BACKLOG_BELOW_THRESHOLD, id="ten may wait"),
        pytest.param(11, 0, 10, Reason.TOO_MANY_REPLICAS, id="eleven may not"),
        pytest.param(10, 15, 1, Reason.BACKLOG_BELOW_THRESHOLD, id="just within max_wait"),
        pytest.param(3, 16, 4, Reason.WAITED_TOO_LONG, id="waited too long"),
    ],
)
def test_few_may_wait_for_a_while(extra, waited, desired, reason):
    """Up to `up` tasks may wait beyond the free slots, none longer than `max_wait`."""
    policy = a_policy(sizing=Thresholds(up=10, max_wait_seconds=15.0))
    look = seen(waiting=extra, **fleet(1))
    made = decided(policy, look, Memory({"p": PoolMemory(waiting_since=NOW - waited)}))

    assert (desired, reason) == (made.desired, made.reason)


def test_nothing_running_means_no_waiting():
    """`up` is about waiting beside working replicas: from zero the first task starts one."""
    assert decided(a_policy(sizing=Thresholds(up=10)), seen(waiting=1)).desired == 1


def test_down_only_while_few_wait():
    """Fewer replicas would do, but not while more than `down` wait."""
    policy = a_policy(slots=4, sizing=Thresholds(down=0))
    look = seen(waiting=1, **fleet(0, 0, 0))

    made = decided(policy, look, calm(look, policy))

    assert made.desired == 3
    assert Reason.BACKLOG_HOLDS == made.reason


def test_prefetched_tasks_ask_for_no_new_replica():
    """A prefetched task cannot move to another worker, so it fills the slots of the one that holds it and no more."""
    look = seen(waiting=0, containers=[container("a")], workers=[worker("a", 1, reserved=8)])

    assert decided(a_policy(), look).desired == 1


def test_unknown_replicas_are_busy_when_shrinking():
    """A replica nobody can speak for counts as full when fewer are considered."""
    look = seen(waiting=0, **fleet(None, None))
    made = decided(a_policy(), look, calm(look))

    assert (2, Reason.BUSY_UNKNOWN) == (made.desired, made.reason)


def test_unknown_replicas_are_idle_when_growing():
    """The same replica offers its slots to what waits, so doubt alone never starts a worker."""
    look = seen(waiting=2, **fleet(None, None))

    assert decided(a_policy(), look).desired == 2


def test_lost_replicas_offer_no_slots():
    """A container that has lost its voice is no help for what waits."""
    look = seen(waiting=1, containers=[container("a")], workers=[worker("a", None, online=False)])
    memory = Memory({"p": PoolMemory(ready=("a",), silent=(("a", NOW - 30),))})

    assert decided(a_policy(), look, memory).desired == 2
