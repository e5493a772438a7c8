"""What keeps a replica: use, not recommendation; and not a peak that fewer replicas could have worked off."""

from __future__ import annotations

from dataclasses import replace

from builders import NOW, a_policy, after, container, decided, policies, reading, seen, worker
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.model import BacklogPerReplica, Damping, Flow, Memory, PoolMemory, TargetWait, Thresholds
from autoscaler.policy.fewer import Account
from autoscaler.policy.memory import resume

NAMES = ("a", "b", "c", "d", "e")


def look(*running: int):
    """A look at workers that count their tasks and run so many."""
    told = [replace(worker(n, r), started=reading(10 + r), finished=reading(10)) for n, r in zip(NAMES, running, strict=False)]
    return seen(waiting=0, containers=[container(n) for n in NAMES[: len(running)]], workers=told)


def kept(needs, *, would_wait=(), watched=1000.0, recommended=0) -> Memory:
    """The memory of a pool that needed so many, so long ago, and has been watched for a while."""
    flow = Flow(at=NOW - 1, counters=tuple((n, 10, 10) for n in NAMES), started=50, finished=50, would_wait=would_wait)
    return Memory(
        {
            "p": PoolMemory(
                recommendations=((NOW - 1, recommended),),
                needs=tuple((NOW - ago, n) for ago, n in needs),
                watched_since=None if watched is None else NOW - watched,
                flow=replace(flow, arrivals=((NOW - 1, 50),)),
                ready=NAMES,
            )
        }
    )


TEN = a_policy(slots=1, sizing=TargetWait(10.0), scale_down=Damping(max_step_percent=100.0, stabilization_seconds=30.0))


def test_a_peak_that_fewer_could_have_worked_off_keeps_nobody():
    """Five were in use 8 s ago; with three nobody would have waited 5 s, so three stay."""
    memory = kept([(8, 5)], would_wait=(10.0, 18.0, 12.0, 6.0))
    made = decided(TEN, look(1, 1, 0, 0, 0), memory)

    assert (3, "stabilization") == (made.desired, made.steps[-1].rule)
    assert "of 5 needed within the last 30 s, 3 would have kept waits below 5 s" in made.steps[-1].because


def test_a_peak_that_fewer_could_not_have_worked_off_counts():
    """With four tasks would have waited longer than half of the target: five stay for the window."""
    memory = kept([(8, 5)], would_wait=(10.0, 20.0, 30.0, 36.0))

    assert 5 == decided(TEN, look(1, 1, 0, 0, 0), memory).desired


def test_the_account_counts_only_when_the_whole_window_was_watched():
    """After a restart or a blind look the plain window holds everything."""
    short = kept([(8, 5)], watched=20.0)
    blind = kept([(8, 5)], watched=None)

    assert [5, 5] == [decided(TEN, look(1, 1, 0, 0, 0), memory).desired for memory in (short, blind)]
    assert resume(kept([(8, 5)])).of("p").watched_since is None


def test_more_was_needed_than_there_ever_were():
    """Fifty were asked for where five are the most: the sentence says so, and speaks of no account that was not asked."""
    made = decided(replace(TEN, sizing=Thresholds(), replicas_max=5), look(0, 0, 0, 0, 0), kept([(8, 50)]))

    assert (5, "the most needed within the last 30 s was 50") == (made.desired, made.steps[-1].because)


def test_who_is_silent_for_a_look_counts_as_busy_and_ends_no_watch():
    """As each worker is when it has just come and when it leaves: the account goes on, with all slots of the silent one in use."""
    told = look(1, 0, 0)
    workers = {n: told.workers[n] for n in list(told.workers)[:2]}
    silent = replace(told, workers=workers)
    heard = after(policies(TEN), told, kept([(8, 3)]), NOW).of("p")
    unheard = after(policies(TEN), silent, kept([(8, 3)]), NOW).of("p")

    assert heard.watched_since == unheard.watched_since == NOW - 1000.0
    assert ((), (1.0,)) == (heard.flow.would_wait, unheard.flow.would_wait)


def test_one_look_takes_no_replica_away():
    """The look before recommended five, so five stay, whatever the window says."""
    assert 5 == decided(TEN, look(1, 1, 0, 0, 0), kept([(50, 1)], recommended=5)).desired
    assert 2 == decided(TEN, look(1, 1, 0, 0, 0), kept([(50, 1)], recommended=2)).desired


def test_only_what_was_put_to_use_is_needed():
    """Seven waiting ask for more replicas; what enters the window is the two that work."""
    some = seen(waiting=7, containers=[container("a"), container("b")], workers=look(1, 1).workers.values())
    by_thresholds, by_backlog = replace(TEN, sizing=Thresholds()), replace(TEN, sizing=BacklogPerReplica(1.0))

    assert 2 == decided(by_thresholds, some, kept([])).needed < decided(by_thresholds, some, kept([])).recommended
    assert 7 == decided(by_backlog, some, kept([])).needed


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from([0.5, 1.0, 2.0])), max_size=60), st.integers(1, 3))
def test_more_replicas_never_have_more_waiting(course, slots):
    """Per replica less would wait the more there are; and what is in use all the time is always needed."""
    account, behind = Account(slots, 10.0), ()
    for busy, seconds in course:
        behind = account.after(behind, busy, seconds)
        each = [work / count for count, work in enumerate(behind, start=1)]
        assert each == sorted(each, reverse=True)
        assert all(0 <= work <= 10.0 * slots * count for count, work in enumerate(behind, start=1))


def test_what_is_always_in_use_is_needed():
    """Five busy slots for a minute need five replicas; one peak of a second needs none of its own."""
    account = Account(1, 10.0)
    steady: tuple[float, ...] = ()
    for _ in range(60):
        steady = account.after(steady, 5, 1.0)

    assert 5 == account.enough(steady)
    assert 1 == account.enough(account.after((), 5, 1.0))
