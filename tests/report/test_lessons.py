"""What shows only between two records."""

from __future__ import annotations

from dataclasses import replace

import pytest
from telling import NOW, a_bad_end, a_decision, a_record, a_replica, a_view, an_action, an_outcome

from autoscaler.model import ActionKind, Drain, Exit, Failure, Memory, Phase, PoolMemory, Record, Replica, Result
from autoscaler.report.lessons import MOST_NAMES, Drained, Failed, Interrupted, Lesson, Lessons, Started

DRAINING = Memory({"browser": PoolMemory(drains=(Drain("a-browser-1", NOW - 30, "idle"),))})


def with_replicas(*replicas: Replica, at: float = NOW, **changes) -> Record:
    """A tick that sees these replicas."""
    return a_record(a_decision(view=a_view(replicas=replicas)), at=at, **changes)


def learned(*ticks: tuple[Record, Memory]) -> list[Lesson]:
    """All lessons of these ticks."""
    lessons = Lessons()
    return [lesson for record, memory in ticks for lesson in lessons.learn(record, memory)]


def test_a_start_is_timed_to_the_first_voice() -> None:
    """From the container's creation to the first look that hears the worker."""
    starting, ready = a_replica(phase=Phase.STARTING, since=NOW - 1), a_replica(since=NOW - 1)

    assert learned((with_replicas(starting), Memory()), (with_replicas(ready, at=NOW + 3), Memory())) == [Started("browser", 4.0)]


def test_a_start_between_two_looks_is_timed_too() -> None:
    """A worker that was ordered in one tick may be heard in the next."""
    ordered = a_record(a_decision(actions=(an_action(),)))

    assert learned((ordered, Memory()), (with_replicas(a_replica(since=NOW), at=NOW + 2), Memory())) == [Started("browser", 2.0)]


def test_workers_that_were_there_before_teach_nothing() -> None:
    """After a restart of the daemon the ages of adopted workers are no boot times."""
    assert learned((with_replicas(a_replica()), Memory())) == []


def test_a_start_that_is_never_heard_fails_once() -> None:
    """Lost alone is no failure, for it may work; told to leave for it, it has failed, once."""
    starting, lost = a_replica(phase=Phase.STARTING), a_replica(phase=Phase.LOST)
    leaving = replace(an_outcome(ActionKind.DRAIN), action=replace(an_action(ActionKind.DRAIN), last_words=True))
    pending, done = replace(leaving, result=Result.PENDING), replace(leaving, exit=Exit(None))
    ticks = [(with_replicas(r, outcomes=o), Memory()) for r, o in ((starting, ()), (lost, ()), (lost, (pending,)), (lost, (done,)))]

    assert learned(*ticks) == [Failed("browser", Failure.START_TIMEOUT)]


def test_a_drain_is_timed_to_the_removal() -> None:
    """From the order to leave to the end of the container, also where the answer comes ticks later."""
    gone = an_outcome(ActionKind.REMOVE, at=NOW + 10, exit=Exit(0))

    assert learned((a_record(), DRAINING), (a_record(), Memory()), (a_record(outcomes=(gone,)), Memory())) == [Drained("browser", 40.0)]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        pytest.param(a_bad_end(code=1), Failure.EXIT_NONZERO, id="an error"),
        pytest.param(a_bad_end(code=137, oom=True), Failure.OOM, id="out of memory"),
        pytest.param(a_bad_end(code=137), Failure.KILLED, id="killed by somebody"),
        pytest.param(a_bad_end("redis.exceptions.ResponseError: max requests limit exceeded."), Failure.BROKER, id="the broker"),
        pytest.param(Exit(0), Failure.EXIT_UNASKED, id="left by itself"),
        pytest.param(Exit(None), Failure.NEVER_STARTED, id="created and never started"),
    ],
)
def test_an_unasked_end_is_a_failure(end: Exit, reason: Failure) -> None:
    """Who was not told to leave and is gone has failed, in one of a few ways."""
    assert learned((a_record(outcomes=(an_outcome(ActionKind.REMOVE, exit=end),)), Memory())) == [Failed("browser", reason)]


@pytest.mark.parametrize("why", [Failure.IMAGE_MISSING, None])
def test_a_refused_start_is_a_failure(why: Failure | None) -> None:
    """The engine said no, and where it is known, why."""
    refused = an_outcome(ActionKind.START, Result.FAILED, failure=why)

    assert learned((a_record(outcomes=(refused,)), Memory())) == [Failed("browser", why or Failure.START_REFUSED)]


def test_a_voice_that_goes_is_counted_once() -> None:
    """However long the container stays without it; when it comes back and goes again, that is another time."""
    heard, lost = a_replica(heard=True), a_replica(phase=Phase.LOST)
    ticks = [(with_replicas(r), Memory()) for r in (heard, lost, lost, heard, lost)]

    assert learned(*ticks) == [Failed("browser", Failure.LOST)] * 2


@pytest.mark.parametrize(("running", "tasks"), [(3, 3), (None, 1)], ids=["said", "unsaid"])
def test_a_kill_interrupts_what_ran(running: int | None, tasks: int) -> None:
    """As many tasks as were last seen running; where nobody says, at least one, because not seeing is never zero."""
    killed = an_outcome(ActionKind.KILL)

    assert learned((with_replicas(a_replica(running=running), outcomes=(killed,)), Memory())) == [Interrupted("browser", tasks)]


def test_a_kill_interrupts_what_has_a_name() -> None:
    """Where Flower names more tasks than the last look saw running, they are all counted."""
    killed = an_outcome(ActionKind.KILL, interrupted=("a", "b", "c"))

    assert learned((with_replicas(a_replica(running=2), outcomes=(killed,)), Memory())) == [Interrupted("browser", 3)]


def test_a_kill_of_an_idle_worker_interrupts_nothing() -> None:
    """A worker that ran nothing loses nothing."""
    assert learned((with_replicas(a_replica(running=0), outcomes=(an_outcome(ActionKind.KILL),)), Memory())) == []


def test_names_are_forgotten() -> None:
    """Names never come back, so what is remembered of them is bounded."""
    lessons = Lessons()
    for i in range(2 * MOST_NAMES):
        list(lessons.learn(with_replicas(a_replica(f"r{i}", Phase.STARTING)), Memory()))

    assert len(lessons._awaited) <= MOST_NAMES
    assert len(lessons._running) <= MOST_NAMES
