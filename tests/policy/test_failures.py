"""Why a worker failed, and what the next start waits for."""

from dataclasses import replace

import pytest
from builders import NOW, a_policy, container, decided, fleet, policies, seen

from autoscaler.model import (
    Action,
    ActionKind,
    BrokerFault,
    BrokerSight,
    ContainerState,
    Drain,
    Exit,
    Failure,
    Health,
    Memory,
    Outcome,
    PoolMemory,
    Record,
    Result,
)
from autoscaler.policy.decide import decide
from autoscaler.policy.failures import failure_of
from autoscaler.policy.memory import remember
from autoscaler.policy.reasons import Reason

QUOTA = ("Traceback", "redis.exceptions.ResponseError: max requests limit exceeded. Limit: 500000, Usage: 500000.")
HUNG = Outcome(Action(ActionKind.DRAIN, "p", "w", last_words=True), Result.DONE, NOW, exit=Exit(None))


UNSEEN = PoolMemory(looked_at=None, desired=2)
"""After a tick in which the engine did not list."""


def start(result: Result, failure: Failure | None = None) -> Outcome:
    """What became of a start."""
    return Outcome(Action(ActionKind.START, "p", "w"), result, NOW, failure=failure)


def end(code: int | None, *lines: str, oom: bool = False) -> Outcome:
    """The removal of a worker that ended so."""
    return Outcome(Action(ActionKind.REMOVE, "p", "w"), Result.DONE, NOW, exit=Exit(code, oom, lines))


@pytest.mark.parametrize(
    ("outcome", "asked", "failure"),
    [
        pytest.param(start(Result.DONE), False, None, id="a start that was done"),
        pytest.param(start(Result.FAILED), False, Failure.START_REFUSED, id="refused, nobody says why"),
        pytest.param(start(Result.FAILED, Failure.PULL_FAILED), False, Failure.PULL_FAILED, id="refused, with the reason"),
        pytest.param(start(Result.NOTHING_TO_DO), False, None, id="dry run"),
        pytest.param(HUNG, False, Failure.START_TIMEOUT, id="not heard in time"),
        pytest.param(replace(HUNG, exit=Exit(None, log_tail=QUOTA)), False, Failure.BROKER, id="waits for the broker in vain"),
        pytest.param(replace(HUNG, result=Result.PENDING), False, None, id="not known yet"),
        pytest.param(end(0), False, Failure.EXIT_UNASKED, id="left by itself"),
        pytest.param(end(1), False, Failure.EXIT_NONZERO, id="an error"),
        pytest.param(end(137), False, Failure.KILLED, id="SIGKILL by somebody"),
        pytest.param(end(137), True, None, id="our own kill"),
        pytest.param(end(137, oom=True), False, Failure.OOM, id="out of memory"),
        pytest.param(end(137, oom=True), True, Failure.OOM, id="out of memory while it drained"),
        pytest.param(end(None), False, Failure.NEVER_STARTED, id="never started"),
        pytest.param(end(1, *QUOTA), False, Failure.BROKER, id="turned away by the broker"),
        pytest.param(end(0, *QUOTA), False, Failure.EXIT_UNASKED, id="a broker's words in a log that ended well"),
    ],
)
def test_every_failure_has_its_word(outcome, asked, failure):
    """Told by the engine, by the exit and by the last words."""
    assert failure == failure_of(outcome, asked=asked)


def told(memory: PoolMemory, *outcomes: Outcome, look=None, now: float = NOW, health: Health | None = None) -> PoolMemory:
    """The pool's memory after a tick with these outcomes, in which the broker was seen to be so."""
    look = look or seen(waiting=1)
    if health:
        look = replace(look, brokers={"main": BrokerSight("main", health, "", fresh=True, queues={})})
    old = Memory({"p": memory})
    return remember(old, Record(now, "h", look, decide(policies(), look, old, now), outcomes)).of("p")


def test_a_broker_s_fault_is_no_crash():
    """Its words in the last lines, and nobody of the pool is heard: the next start waits, and says for what."""
    kept = told(PoolMemory(), end(1, *QUOTA), end(1, *QUOTA))
    made = decided(a_policy(), seen(waiting=1), Memory({"p": kept}), NOW + 9)

    assert (0, BrokerFault(Health.QUOTA, NOW + 10)) == (kept.failures, kept.broker_fault)
    assert (0, Reason.BROKER_FAULT) == (made.desired, made.reason)
    assert "has used up its quota" in made.steps[-1].because


def test_what_serves_the_others_is_no_fault_of_the_broker():
    """While another worker of the pool is heard, the words of one are its own trouble."""
    kept = told(PoolMemory(ready=("p0",)), end(1, *QUOTA), look=seen(waiting=1, **fleet(1)))

    assert (1, None) == (kept.failures, kept.broker_fault)


def test_waits_for_a_broker_grow():
    """10 s, 20 s, 40 s ... 300 s, one start tried after each."""
    kept, now, waits = PoolMemory(), NOW, []
    for _ in range(7):
        kept = told(kept, end(1, *QUOTA), now=now)
        waits.append(kept.broker_fault.until - now)
        now = kept.broker_fault.until + 1
        assert 1 == decided(a_policy(), seen(waiting=5), Memory({"p": kept}), now).desired

    assert [10, 20, 40, 80, 160, 300, 300] == waits


def test_bad_ends_of_one_round_are_one():
    """A second worker that dies of the broker before the next start is of the same round."""
    kept = told(told(PoolMemory(), end(1, *QUOTA)), end(1, *QUOTA), now=NOW + 4)

    assert BrokerFault(Health.QUOTA, NOW + 10) == kept.broker_fault


def test_a_broker_that_serves_again_ends_the_wait():
    """Seen to be down and then to serve: starts go on at once. One that always seemed to serve proves nothing."""
    fault = PoolMemory(broker_fault=BrokerFault(Health.QUOTA, NOW + 100, 5))

    assert told(fault, health=Health.UP).broker_fault
    down = told(fault, health=Health.QUOTA)
    assert down.broker_fault.seen_down
    assert told(down, health=Health.UP).broker_fault is None


def test_a_worker_that_is_heard_ends_the_wait():
    """Whatever was wrong, it is not any more."""
    fault = PoolMemory(broker_fault=BrokerFault(Health.QUOTA, NOW + 100, 5))

    assert told(fault, look=seen(waiting=1, **fleet(0))).broker_fault is None


def test_a_hung_start_counts_before_its_answer():
    """The signal of a failed start may be answered later; the next start waits from the order on."""
    kept = told(PoolMemory(), replace(HUNG, result=Result.PENDING, exit=None))

    assert (1, NOW + 10) == (kept.failures, kept.backoff_until)


def fell(*codes: int, names: str, old: PoolMemory = UNSEEN, oom: bool = False, alive=()) -> PoolMemory:
    """The memory after the first look in which workers of these names are found ended so, and removed."""
    ends = tuple(zip(names, codes, strict=True))
    ended = [container(name, state=ContainerState.EXITED, exit_code=code) for name, code in ends]
    removed = [replace(end(code, oom=oom), action=Action(ActionKind.REMOVE, "p", name)) for name, code in ends]
    return told(old, *removed, look=seen(waiting=1, containers=[*ended, *alive]))


def test_workers_that_ended_with_their_engine_are_no_crash_loop():
    """The engine was away, and with its return all of the pool's workers are dead by no fault of theirs: new ones start at once."""
    kept = fell(137, 255, names="ab")
    made = decided(a_policy(), seen(waiting=1), Memory({"p": kept}), NOW + 2)

    assert (0, ("a", "b")) == (kept.failures, kept.fell)
    assert 1 == made.desired


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(lambda: fell(137, names="a", old=PoolMemory(looked_at=NOW - 2)), id="the engine was there all the time"),
        pytest.param(lambda: fell(1, names="a"), id="by an error of its own"),
        pytest.param(lambda: fell(137, names="a", oom=True), id="out of memory"),
        pytest.param(lambda: fell(137, names="a", alive=[container("b")]), id="another one lives"),
    ],
)
def test_an_end_by_its_own_fault_counts_also_after_the_engine_was_away(kept):
    """Only where all of a pool's workers were cut off, while nobody could see them, has their engine ended them."""
    assert 1 == kept().failures


def test_the_engine_s_dead_are_remembered_until_they_are_removed():
    """The removal may be answered in a later tick, and says with what the worker ended only then."""
    look = seen(waiting=1, containers=[container("a", state=ContainerState.EXITED, exit_code=137)])
    kept = told(UNSEEN, look=look)
    later = told(kept, replace(end(137), action=Action(ActionKind.REMOVE, "p", "a")), now=NOW + 2)

    assert (("a",), 0) == (kept.fell, later.failures)
    assert () == told(later, now=NOW + 4).fell


def test_an_end_is_read_before_the_next_start():
    """The look that finds a worker ended by itself starts none in its place: its last words may be a reason to wait. Only that look."""
    look = seen(waiting=1, containers=[container("a", state=ContainerState.EXITED, exit_code=1)])
    first = decided(a_policy(), look, Memory({"p": PoolMemory(ready=("a",))}))

    assert [ActionKind.REMOVE] == [a.kind for a in first.actions]
    again = decided(a_policy(), look, Memory({"p": PoolMemory(ready=("a",), ended=("a",))}))
    assert [ActionKind.REMOVE, ActionKind.START] == [a.kind for a in again.actions]


@pytest.mark.parametrize(
    "memory",
    [pytest.param(PoolMemory(drains=(Drain("a", NOW - 5, "x"),)), id="asked to"), pytest.param(PoolMemory(ready=("a",)), id="well")],
)
def test_a_good_end_holds_nothing_up(memory):
    """A worker that left as it should is replaced at once, where it is needed."""
    look = seen(waiting=1, containers=[container("a", state=ContainerState.EXITED, exit_code=0)])

    assert ActionKind.START in {a.kind for a in decided(a_policy(), look, Memory({"p": memory})).actions}


def test_a_drained_worker_may_end_as_it_likes():
    """Asked to leave, it is no failure that anybody waits for, also when its memory ran out meanwhile."""
    drained = PoolMemory(drains=(Drain("w", NOW - 5, "idle"),))

    assert told(drained, end(137, oom=True)).failures == 0
