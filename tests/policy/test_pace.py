"""`max_step`: how far one decision may go, and all decisions within a period."""

from dataclasses import replace

import pytest
from builders import NOW, a_policy, after, container, decided, fleet, policies, seen

from autoscaler.model import Action, ActionKind, Damping, Drain, Memory, Outcome, PoolMemory, Record, Result
from autoscaler.policy.decide import decide
from autoscaler.policy.memory import remember
from autoscaler.policy.pace import LONGEST_PERIOD_SECONDS
from autoscaler.policy.reasons import Reason

TWO_A_MINUTE = Damping(max_step=2, period_seconds=60.0, stabilization_seconds=0.0)
HALF_A_MINUTE = Damping(max_step_percent=50.0, period_seconds=60.0, stabilization_seconds=0.0)
IDLE6 = seen(waiting=0, **fleet(0, 0, 0, 0, 0, 0))


def changed(*changes: tuple[float, int]) -> Memory:
    """A memory in which so many replicas came or went so many seconds ago, and no window holds anything back."""
    past = tuple((NOW - ago, change) for ago, change in changes)
    return Memory({"p": PoolMemory(recommendations=((NOW - 3600.0, 0),), changes=past)})


@pytest.mark.parametrize(
    ("damping", "desired"),
    [
        pytest.param(Damping(), 10, id="no limit"),
        pytest.param(Damping(max_step=2), 4, id="two"),
        pytest.param(Damping(max_step_percent=100), 4, id="all again"),
        pytest.param(Damping(max_step_percent=10), 3, id="at least one"),
    ],
)
def test_one_decision_up(damping, desired):
    """No more than `max_step` are added in one decision, whatever came before."""
    made = decided(a_policy(scale_up=damping), seen(waiting=50, **fleet(1, 1)), changed((1.0, 2)))

    assert desired == made.desired


def test_one_decision_down():
    """No more than `max_step` are drained in one decision."""
    made = decided(a_policy(scale_down=Damping(max_step=1, stabilization_seconds=0.0)), IDLE6, changed((1.0, -3)))

    assert (5, Reason.SCALE_DOWN_LIMIT) == (made.desired, made.reason)
    assert "at most 1 fewer in one decision" in made.steps[-1].because


@pytest.mark.parametrize(
    ("changes", "desired"),
    [
        pytest.param([], 8, id="nothing yet"),
        pytest.param([(30.0, 1)], 7, id="one of two is used up"),
        pytest.param([(50.0, 1), (10.0, 1)], 6, id="both are"),
        pytest.param([(60.0, 2)], 8, id="a minute ago counts no more"),
        pytest.param([(59.9, 2)], 6, id="just within the minute"),
        pytest.param([(30.0, -3)], 11, id="what left may come back"),
        pytest.param([(30.0, 5)], 6, id="never below the present count"),
    ],
)
def test_a_period_up(changes, desired):
    """Two more than the minute began with, as the HPA counts."""
    made = decided(a_policy(scale_up=TWO_A_MINUTE, replicas_max=50), seen(waiting=40, **fleet(*[1] * 6)), changed(*changes))

    assert desired == made.desired


@pytest.mark.parametrize(
    ("changes", "desired"),
    [
        pytest.param([], 3, id="nothing yet"),
        pytest.param([(30.0, -2)], 4, id="half of eight, two are gone"),
        pytest.param([(30.0, -6)], 6, id="all used up"),
        pytest.param([(30.0, -9)], 6, id="never above the present count"),
        pytest.param([(30.0, 2)], 2, id="half of the four it began with"),
        pytest.param([(30.0, 5)], 0, id="one of one, and those that came since"),
    ],
)
def test_a_period_down(changes, desired):
    """Half of what the minute began with."""
    assert desired == decided(a_policy(scale_down=HALF_A_MINUTE), IDLE6, changed(*changes)).desired


def test_the_step_says_what_it_counted():
    """The numbers in the text are those of the arithmetic."""
    made = decided(a_policy(scale_up=TWO_A_MINUTE), seen(waiting=40, **fleet(1, 1, 1)), changed((30.0, 1)))

    assert ("max_step", "at most 2 more within 60 s, counted from 2") == (made.steps[-1].rule, made.steps[-1].because)


def test_from_zero_one_is_always_allowed():
    """Two started and died within the minute, so it is used up; a pool with work is not left at zero for that."""
    assert decided(a_policy(scale_up=TWO_A_MINUTE), seen(waiting=9), changed((30.0, 2))).desired == 1


def test_what_a_decision_began_is_remembered():
    """Three starts are a change of three, and two drains take two of them back."""
    policy = a_policy(scale_down=Damping(stabilization_seconds=0.0))
    grown = after(policies(policy), seen(waiting=3), Memory(), NOW)
    shrunk = after(policies(policy), seen(waiting=0, **fleet(1, 0, 0)), Memory({"p": PoolMemory(changes=grown.of("p").changes)}), NOW + 9)

    assert ((NOW, 3),) == grown.of("p").changes
    assert ((NOW, 3), (NOW + 9, -2)) == shrunk.of("p").changes


@pytest.mark.parametrize("result", [Result.FAILED, Result.NOTHING_TO_DO])
def test_what_was_not_begun_is_no_change(result):
    """A refused start, and a dry run, use nothing up and begin no cooldown."""
    kept = after(policies(), seen(waiting=3), Memory(), NOW, result=result).of("p")

    assert ((), None) == (kept.changes, kept.last_up)


def test_a_late_answer_is_no_second_change():
    """A start that is answered two ticks later was counted when it was ordered, and its cooldown began then."""
    settings = policies()
    memory = after(settings, seen(waiting=1), Memory(), NOW, result=Result.PENDING)
    start = Action(ActionKind.START, "p", memory.of("p").pending[0][0])
    look = seen(waiting=1, now=NOW + 4)
    record = Record(NOW + 4, "h", look, decide(settings, look, memory, NOW + 4), (Outcome(start, Result.DONE, NOW + 4),))
    kept = remember(memory, record).of("p")

    assert (((NOW, 1),), NOW) == (kept.changes, kept.last_up)


def test_a_signal_sent_again_is_no_second_change():
    """A drain whose first signal may be lost was counted when it was decided."""
    memory = Memory({"p": PoolMemory(drains=(Drain("a", NOW - 5, "x", sent=False),), changes=((NOW - 5, -1),), last_down=NOW - 5)})
    kept = after(policies(), seen(waiting=0, containers=[container("a")]), memory, NOW).of("p")

    assert (((NOW - 5, -1),), NOW - 5) == (kept.changes, kept.last_down)


def test_old_changes_are_forgotten():
    """No period is longer than half an hour."""
    memory = changed((LONGEST_PERIOD_SECONDS, 4), (LONGEST_PERIOD_SECONDS - 1, 2))

    assert ((NOW - LONGEST_PERIOD_SECONDS + 1, 2),) == after(policies(), seen(waiting=0), memory, NOW).of("p").changes


def test_changes_of_one_second_are_one():
    """A pool that changes ten times a second for half an hour is remembered in so many seconds, not changes."""
    policy = a_policy(scale_down=Damping(stabilization_seconds=0.0))
    memory, up, down = Memory(), seen(waiting=1), seen(waiting=0, **fleet(0))
    for i in range(40):
        kept = PoolMemory(changes=memory.of("p").changes)
        memory = after(policies(policy), down if i % 2 else up, Memory({"p": kept}), NOW + i / 10)

    assert 4 == len(memory.of("p").changes)
    assert 0 == sum(change for _, change in memory.of("p").changes)


def test_the_rate_holds_over_every_stretch():
    """A need of thirty from nothing: two at once, then two a minute, in any minute that one looks at."""
    policy = a_policy(scale_up=TWO_A_MINUTE, replicas_max=50)
    kept, counts = PoolMemory(), [0]
    for i in range(100):
        look, now = seen(waiting=30, now=NOW + 2 * i, **fleet(*[1] * counts[-1])), NOW + 2 * i
        counts.append(decided(policy, look, Memory({"p": kept}), now).desired)
        kept = replace(after(policies(policy), look, Memory({"p": kept}), now).of("p"), pending=())

    assert 8 == counts[-1]
    assert max(later - earlier for earlier, later in zip(counts, counts[29:], strict=False)) == 2
