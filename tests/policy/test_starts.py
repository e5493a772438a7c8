"""When a start counts as failed: only where the worker would have been heard."""

from dataclasses import replace

import pytest
from builders import NOW, a_policy, after, container, decided, policies, seen, worker

from autoscaler.model import ActionKind, Known, Memory, Phase, PoolMemory, QueueSight
from autoscaler.policy.memory import resume
from autoscaler.policy.starts import untouched_since

HUNG = container("new", age=60.5)
OTHER = container("old")
WATCHED = PoolMemory(looked_at=NOW - 2, unheard=(("new", 59.0),), audible=True, ready=("old",), untouched_since=NOW - 100, depth=(3, 0))


def look(**changes):
    """Two containers, of which Flower hears the old one; three tasks wait."""
    return seen(**{"waiting": 3, "containers": [OTHER, HUNG], "workers": [worker("old", 1)]} | changes)


@pytest.mark.parametrize(
    ("sight", "memory", "failed"),
    [
        pytest.param(look(), WATCHED, True, id="others are heard"),
        pytest.param(look(), replace(WATCHED, audible=False, untouched_since=NOW - 5), False, id="nobody of this pool ever was"),
        pytest.param(look(workers=[]), WATCHED, True, id="tasks wait untouched"),
        pytest.param(look(workers=[]), replace(WATCHED, untouched_since=NOW - 5), False, id="somebody takes tasks"),
        pytest.param(look(workers=[], waiting=0), WATCHED, False, id="nothing to take"),
        pytest.param(look(workers=[], waiting=None), WATCHED, False, id="queue unseen"),
        pytest.param(look(flower=False, workers=[]), WATCHED, False, id="Flower is down"),
        pytest.param(look(), replace(WATCHED, unheard=(("new", 57.9),)), False, id="not listened long enough"),
        pytest.param(look(), replace(WATCHED, looked_at=None), False, id="the first look"),
        pytest.param(look(), replace(WATCHED, ready=("old", "new")), False, id="it was heard before"),
        pytest.param(look(containers=[OTHER, container("new", age=58)]), WATCHED, False, id="younger than its timeout"),
        pytest.param(look(workers=[worker("old", 1), worker("new")]), WATCHED, False, id="heard now"),
    ],
)
def test_a_start_fails_only_where_it_would_be_heard(sight, memory, failed):
    """Not seeing is never zero: silence counts only in looks that would have shown the worker."""
    made = decided(a_policy(), sight, Memory({"p": memory}))

    assert failed == bool(made.view.failed_starts)
    assert failed == ("new" in {a.replica for a in made.actions if a.kind is ActionKind.DRAIN})


def test_a_failed_start_is_drained_and_holds_no_place():
    """At max 1 it would block the pool for ever: it is drained, never killed, its last words are read, and the next start backs off."""
    sight = seen(waiting=3, containers=[HUNG])
    memory = Memory({"p": WATCHED})
    policy = a_policy(replicas_max=1)

    made = decided(policy, sight, memory)
    (leaving,) = [a for a in made.actions if a.kind is ActionKind.DRAIN]
    assert (0, True) == (made.current, leaving.last_words)
    later = after(policies(policy), sight, memory, NOW)
    assert (1, NOW + 10) == (later.of("p").failures, later.of("p").backoff_until)
    assert decided(policy, sight, later, NOW + 5).view.replicas[0].phase is Phase.DRAINING
    assert [ActionKind.START] == [a.kind for a in decided(policy, sight, later, NOW + 10).actions]


def test_a_minimum_waits_for_the_backoff_too():
    """replicas.min holds for the count at once; the start that it asks for waits like any other, and the trace says so."""
    policy = a_policy(replicas_min=1)
    memory = Memory({"p": PoolMemory(failures=2, backoff_until=NOW + 20)})
    made = decided(policy, seen(waiting=0), memory)

    assert (1, ()) == (made.desired, made.actions)
    assert "the next start is in 20 s" in made.steps[-1].because
    assert [ActionKind.START] == [a.kind for a in decided(policy, seen(waiting=0), memory, NOW + 20).actions]


def test_a_failed_start_is_no_scale_down():
    """Its drain does not begin the cooldown of scaling down, and neither does a signal that is sent again."""
    sight = seen(waiting=3, containers=[HUNG])
    memory = after(policies(), sight, Memory({"p": WATCHED}), NOW)
    assert memory.of("p").last_down is None

    unsent = replace(memory.of("p"), drains=tuple(replace(d, sent=False) for d in memory.of("p").drains), backoff_until=NOW + 99)
    assert after(policies(), sight, Memory({"p": unsent}), NOW + 2).of("p").last_down is None


def test_seconds_pile_up_only_while_they_prove_something():
    """Two looks with proof and one without are two looks' time."""
    sight, blind = look(), look(flower=False, workers=[])
    memory = Memory({"p": replace(WATCHED, unheard=())})
    for second, one in enumerate((sight, blind, sight)):
        memory = after(policies(), one, memory, NOW + 2 * second)

    assert (("new", 4.0),) == memory.of("p").unheard


def test_a_gap_between_looks_is_not_listening():
    """After a suspended hour, or a restart, the deadline is not over at once."""
    suspended = replace(WATCHED, unheard=(), looked_at=NOW - 3600)

    assert decided(a_policy(), look(), Memory({"p": suspended})).view.replicas[1].unheard_seconds == 10.0
    assert decided(a_policy(), look(), resume(Memory({"p": suspended}))).view.replicas[1].unheard_seconds == 0.0


@pytest.mark.parametrize(
    ("before", "now", "since"),
    [
        pytest.param((3, 0), (3, 0), 5.0, id="nothing moved"),
        pytest.param((3, 0), (4, 0), 5.0, id="one came"),
        pytest.param((3, 0), (2, 0), 9.0, id="one was taken"),
        pytest.param((3, 0), (3, 1), 9.0, id="one is held"),
        pytest.param(None, (3, 0), 9.0, id="unseen before"),
        pytest.param((3, 0), None, None, id="unseen now"),
    ],
)
def test_untouched_queues(before, now, since):
    """Since when nobody was seen to take a task."""
    assert since == untouched_since(PoolMemory(depth=before, untouched_since=5.0), now, 9.0)


def test_unacknowledged_tasks_are_remembered_with_the_waiting():
    """Where a broker shows them, they tell of somebody who takes tasks."""
    queue = QueueSight("p", Known(3, NOW, "broker"), Known(2, NOW, "broker"))
    memory = after(policies(), replace(seen(waiting=3), queues={"p": queue}), Memory(), NOW)

    assert (3, 2) == memory.of("p").depth
