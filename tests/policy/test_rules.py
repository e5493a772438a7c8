"""The rules between a recommendation and the final count."""

import pytest
from builders import NOW, a_policy, after, calm, container, decided, fleet, policies, pool_of, seen, worker

from autoscaler.model import ActionKind, Damping, Memory, PoolMemory
from autoscaler.policy.decide import decide
from autoscaler.policy.reasons import Reason

IDLE3 = seen(waiting=0, **fleet(0, 0, 0))


def test_first_look_counts_the_present_size():
    """A restart of the daemon never scales down inside the stabilization window."""
    made = decided(a_policy(), IDLE3)

    assert (3, Reason.SCALE_DOWN_STABILIZED) == (made.desired, made.reason)


@pytest.mark.parametrize(("later", "desired"), [pytest.param(11.9, 3, id="inside"), pytest.param(12.0, 0, id="outside")])
def test_down_after_the_window(later, desired):
    """The highest recommendation of the window counts: three times start 3 s + stop 1 s."""
    memory = after(policies(), IDLE3, Memory(), NOW)

    made = decided(a_policy(), IDLE3, memory, NOW + later)

    assert desired == made.desired


def test_a_need_in_the_window_keeps_what_it_needed():
    """A short need within the window is what remains, not the size before."""
    settings, memory = policies(), calm(IDLE3)
    memory = after(settings, seen(waiting=0, **fleet(1, 1, 0)), memory, NOW - 5)

    made = decided(a_policy(), IDLE3, memory)

    assert made.desired == 2


@pytest.mark.parametrize(("seconds", "left"), [(2.0, 3), (3.9, 3), (4.0, 0), (5.0, 0)])
def test_the_look_before_must_agree_if_it_is_not_long_ago(seconds, left):
    """Three replicas that nobody needs any more; a restart takes 3 + 1 s, and the look before still asked for all of them."""
    kept = PoolMemory(recommendations=((NOW - seconds, 3),), needs=((NOW - 60, 0),), ready=("p0", "p1", "p2"))

    assert left == decided(a_policy(), IDLE3, Memory({"p": kept})).desired


def test_up_waits_for_its_window():
    """`scale_up.stabilization` goes up only to the lowest need of its window."""
    policy = a_policy(scale_up=Damping(stabilization_seconds=30.0))
    busy = fleet(1)
    memory = after(policies(policy), seen(waiting=0, **busy), Memory(), NOW - 10)

    made = decided(policy, seen(waiting=5, **busy), memory)

    assert (1, Reason.SCALE_UP_STABILIZED) == (made.desired, made.reason)


def test_from_zero_nothing_waits_for_a_window():
    """From zero the first replica starts at once, whatever the damping says."""
    policy = a_policy(scale_up=Damping(max_step=1, cooldown_seconds=600, stabilization_seconds=600))
    memory = Memory({"p": PoolMemory(last_up=NOW - 1)})

    assert decided(policy, seen(waiting=9), memory).desired == 1


def test_cooldown_holds_the_same_direction_only():
    """A change up soon after a change up waits; a change down does not care."""
    policy = a_policy(
        scale_up=Damping(cooldown_seconds=60, stabilization_seconds=0.0), scale_down=Damping(cooldown_seconds=60, stabilization_seconds=0.0)
    )
    memory = Memory({"p": PoolMemory(last_up=NOW - 20)})

    up = decided(policy, seen(waiting=5, **fleet(1)), memory)
    down = decided(policy, IDLE3, memory)

    assert (1, Reason.COOLING_DOWN) == (up.desired, up.reason)
    assert down.desired == 0


def test_backoff_holds_starts_back():
    """While workers keep ending badly, no new one is started before its time."""
    memory = Memory({"p": PoolMemory(failures=3, backoff_until=NOW + 25)})
    made = decided(a_policy(), seen(waiting=5), memory)

    assert (0, Reason.BACKING_OFF) == (made.desired, made.reason)
    assert not made.actions


@pytest.mark.parametrize(
    ("running", "desired"), [pytest.param([], 1, id="none yet"), pytest.param([1], 6, id="one is ready again")]
)
def test_after_bad_ends_one_start_is_tried(running, desired):
    """When the pause is over one worker is started; the whole need is met once one of the pool is ready."""
    memory = Memory({"p": PoolMemory(failures=3, backoff_until=NOW - 1)})

    assert desired == decided(a_policy(), seen(waiting=5, **fleet(*running)), memory).desired


@pytest.mark.parametrize("hidden", [pytest.param({"p": None}, id="only queue"), pytest.param({"p": 0, "q": None}, id="one of two")])
def test_blind_never_scales_down(hidden):
    """A queue that cannot be seen blocks scaling down, and says which and why."""
    policy = a_policy(queues=("p", "q") if "q" in hidden else ("p",))
    look = seen(waiting=hidden, **fleet(0, 0))
    made = decided(policy, look, calm(seen(waiting=dict.fromkeys(hidden, 0), **fleet(0, 0)), policy))

    assert (2, Reason.BLIND) == (made.desired, made.reason)
    assert "not asked" in made.steps[-1].because


def test_blind_still_scales_up_on_what_is_seen():
    """One queue is hidden, the other needs workers: they are started."""
    made = decided(a_policy(queues=("p", "q")), seen(waiting={"p": 4, "q": None}))

    assert made.desired == 4


def test_sight_after_blindness_begins_a_new_window():
    """What was recommended blindly is no reason to shrink at the first clear look."""
    blind = seen(waiting=None, **fleet(0, 0))
    memory = after(policies(), blind, calm(seen(waiting=0, **fleet(0, 0))), NOW - 2)

    assert decided(a_policy(), seen(waiting=0, **fleet(0, 0)), memory).desired == 2


def test_unseen_fleet_means_hands_off():
    """When the engine does not say which workers exist, nothing is started or stopped."""
    made = decided(a_policy(replicas_min=2), seen(waiting=7, containers=None))

    assert not made.actions
    assert Reason.FLEET_UNSEEN == made.reason


def test_bounds_hold_even_when_blind():
    """min and max hold whatever else is said; the excess is drained."""
    look = seen(waiting=None, **fleet(1, 1, 1))
    made = decided(a_policy(replicas_max=1), look, calm(look))

    assert made.desired == 1
    assert [ActionKind.DRAIN] * 2 == [a.kind for a in made.actions]


def test_minimum_is_kept():
    """`min` replicas run without any work."""
    made = decided(a_policy(replicas_min=2), seen(waiting=0))

    assert (2, Reason.TOO_FEW_REPLICAS) == (made.desired, made.reason)


def test_scheduled_tasks_keep_their_replica():
    """A worker that holds ETA tasks is busy: stopping it would put them back and start a worker again."""
    look = seen(waiting=0, containers=[container("a"), container("b")], workers=[worker("a", 0, scheduled=5), worker("b", 0)])
    made = decided(a_policy(), look, calm(look))

    assert (1, Reason.HOLDS_SCHEDULED) == (made.desired, made.reason)
    assert ["b"] == [a.replica for a in made.actions]


def test_leftovers_of_killed_workers_need_a_replica():
    """Unacknowledged tasks with no living worker are work that nobody would ever see otherwise."""
    made = decided(a_policy(), seen(waiting=0, unacked=4))

    assert (1, Reason.UNACKNOWLEDGED) == (made.desired, made.reason)


def test_unacknowledged_tasks_of_living_workers_are_not_left_over():
    """What a living worker holds is in flight."""
    look = seen(waiting=0, unacked=3, containers=[container("a")], workers=[worker("a", 1, reserved=2)])

    assert decided(a_policy(), look).view.leftover == 0


def test_removed_pool_is_drained():
    """A pool that no longer stands in the file loses its workers, by a drain."""
    look = seen(waiting={"p": 0, "gone": 0}, **fleet(1, pool="gone"))
    made = pool_of(decide(policies(), look, Memory({"gone": PoolMemory(desired=1)}), NOW), "gone")

    assert (0, Reason.POOL_REMOVED) == (made.desired, made.reason)
    assert [ActionKind.DRAIN] == [a.kind for a in made.actions]


def test_pools_that_were_never_ours_are_left_alone():
    """Workers under our label of a pool that we never had may belong to a second autoscaler of the same name."""
    look = seen(waiting={"p": 0}, **fleet(1, pool="somebody"))

    assert ["p"] == [pool.pool for pool in decide(policies(), look, Memory(), NOW).pools]
