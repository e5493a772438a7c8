"""What is remembered from tick to tick."""

from dataclasses import replace

from builders import NOW, a_policy, after, container, decided, fleet, policies, seen, worker
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.model import (
    Action,
    ActionKind,
    ContainerState,
    Drain,
    Exit,
    Memory,
    Outcome,
    PoolMemory,
    Record,
    Result,
)
from autoscaler.policy.decide import decide
from autoscaler.policy.memory import LONGEST_WINDOW_SECONDS, remember, resume


def told(memory: Memory, look, *outcomes: Outcome, now: float = NOW) -> PoolMemory:
    """The pool's memory after a tick with these outcomes."""
    settings = policies(a_policy())
    return remember(memory, Record(now, "h", look, decide(settings, look, memory, now), outcomes)).of("p")


def ended(name: str, code: int | None) -> Outcome:
    """The outcome of removing a container that ended so."""
    return Outcome(Action(ActionKind.REMOVE, "p", name, f"id-{name}"), Result.DONE, NOW, exit=Exit(code))


def test_ordered_starts_are_not_ordered_twice():
    """A start that does not show in the list yet counts as starting."""
    memory = after(policies(), seen(waiting=3), Memory(), NOW)
    made = decided(a_policy(), seen(waiting=3, now=NOW + 2), memory, NOW + 2)

    assert not made.actions
    assert made.current == 3


def test_pending_starts_count_while_unanswered():
    """A start whose call has not returned yet is on its way too."""
    memory = after(policies(), seen(waiting=3), Memory(), NOW, result=Result.PENDING)

    assert not decided(a_policy(), seen(waiting=3), memory, NOW + 2).actions


def test_refused_starts_back_off():
    """A refused start is no replica on its way, and the next one waits 10 s."""
    memory = after(policies(), seen(waiting=1), Memory(), NOW, result=Result.FAILED)

    assert decided(a_policy(), seen(waiting=1), memory, NOW + 9).desired == 0
    assert decided(a_policy(), seen(waiting=1), memory, NOW + 10).desired == 1


def test_dry_run_is_not_remembered_as_done():
    """What was not done on purpose is decided again, the same."""
    memory = after(policies(), seen(waiting=3), Memory(), NOW, result=Result.NOTHING_TO_DO)

    assert len(decided(a_policy(), seen(waiting=3), memory, NOW + 2).actions) == 3


def test_backoff_doubles_to_five_minutes():
    """10 s, 20 s, 40 s ... 300 s."""
    look, memory, waits, now = seen(waiting=0), Memory(), [], NOW
    for i in range(7):
        pool = told(memory, look, ended(f"w{i}", 1), now=now)
        waits.append(pool.backoff_until - now)
        memory, now = Memory({"p": pool}), pool.backoff_until + 1

    assert [10, 20, 40, 80, 160, 300, 300] == waits


def test_many_bad_ends_of_one_round_count_once():
    """Five workers that die together are one failure: the engine restarted, or the image is broken."""
    assert told(Memory(), seen(waiting=0), *(ended(f"w{i}", 1) for i in range(5))).backoff_until == NOW + 10


def test_a_container_that_never_ran_did_not_end_badly():
    """A start that was cut off together with the daemon is cleaned away and nothing more."""
    assert told(Memory(), seen(waiting=0), ended("a", None)).failures == 0


def test_answers_count_while_the_engine_is_unseen():
    """A drain whose signal failed is not draining, also when the list of containers did not come in that tick."""
    memory = Memory({"p": PoolMemory(drains=(Drain("p0", NOW - 5, "x", sent=False),), pending=(("p1", NOW),))})
    refused = [Outcome(Action(kind, "p", name), Result.FAILED, NOW) for kind, name in ((ActionKind.DRAIN, "p0"), (ActionKind.START, "p1"))]
    kept = told(memory, seen(waiting=0, containers=None), *refused)

    assert ((), ()) == (kept.drains, kept.pending)


def test_a_signal_that_may_be_lost_is_sent_again():
    """kill -9 of the daemon between ordering a drain and its answer: the next start orders it again, until it is known to be sent."""
    look = seen(waiting=0, **fleet(1))
    action = Action(ActionKind.DRAIN, "p", "p0", "id-p0")
    memory = Memory({"p": told(Memory(), look, Outcome(action, Result.PENDING, NOW))})
    again = decided(a_policy(), look, memory, NOW + 2)

    assert [(ActionKind.DRAIN, "p0")] == [(a.kind, a.replica) for a in again.actions]
    sent = Memory({"p": told(memory, look, Outcome(action, Result.DONE, NOW + 2), now=NOW + 2)})
    assert not decided(a_policy(), look, sent, NOW + 4).actions


def test_a_drained_worker_is_no_failure():
    """A worker that we told to leave may end as it likes."""
    look = seen(waiting=0, containers=[container("a", state=ContainerState.EXITED, exit_code=1)])
    memory = Memory({"p": PoolMemory(drains=(Drain("a", NOW - 5, "x"),))})

    assert told(memory, look, ended("a", 1)).failures == 0


def test_a_late_removal_still_knows_the_drain():
    """The answer to a removal may come a tick later than the container's end."""
    look = seen(waiting=0, containers=[container("a", state=ContainerState.EXITED, exit_code=143)])
    memory = Memory({"p": PoolMemory(drains=(Drain("a", NOW - 5, "x"),))})
    kept = told(memory, look)

    assert told(Memory({"p": kept}), seen(waiting=0), ended("a", 143)).failures == 0


def test_a_clean_end_of_a_ready_worker_is_no_failure():
    """A worker that was heard and ended with 0 left by itself, for instance after its last task."""
    memory = Memory({"p": PoolMemory(ready=("a",))})

    assert told(memory, seen(waiting=0), ended("a", 0)).failures == 0


def test_a_worker_that_was_never_heard_and_left_is_a_failure():
    """An image whose command ends at once must not be started in a tight loop."""
    assert told(Memory(), seen(waiting=0), ended("a", 0)).failures == 1


def test_failures_are_forgotten_after_health():
    """Ten minutes after the last backoff the count begins anew."""
    memory = Memory({"p": PoolMemory(failures=4, backoff_until=NOW - 601)})

    assert told(memory, seen(waiting=0)).failures == 0


def test_a_drain_lasts_until_the_container_is_gone():
    """A drain is a phase seen again on each tick, not a wait."""
    memory = Memory({"p": PoolMemory(drains=(Drain("p0", NOW - 5, "x"),))})

    assert told(memory, seen(waiting=0, **fleet(1))).drains
    assert not told(memory, seen(waiting=0)).drains


def test_a_refused_drain_is_decided_afresh():
    """When the signal could not be sent, the replica is not draining."""
    action = Action(ActionKind.DRAIN, "p", "p0", "id-p0")
    look = seen(waiting=0, **fleet(0))
    pending = told(Memory(), look, Outcome(action, Result.PENDING, NOW))

    assert pending.drains
    assert not told(Memory({"p": pending}), look, Outcome(action, Result.FAILED, NOW)).drains


def test_boot_time_is_learned_rounded_up():
    """A slow start counts at once, fast ones slowly."""
    slow = seen(waiting=0, containers=[container("a", age=8.0)], workers=[worker("a")])
    fast = seen(waiting=0, containers=[container("b", age=2.0)], workers=[worker("b")])
    memory = Memory({"p": told(Memory({"p": PoolMemory(starting=("a", "b"))}), slow)})

    assert memory.of("p").boot_seconds == 8.0
    assert 7.0 < told(Memory({"p": replace(memory.of("p"), starting=("b",))}), fast).boot_seconds < 8.0


def test_boot_time_of_adopted_workers_is_not_guessed():
    """After a restart a worker that is already heard tells nothing about how long it took."""
    adopted = seen(waiting=0, containers=[container("a", age=50.0)], workers=[worker("a")])

    assert told(Memory(), adopted).boot_seconds == PoolMemory().boot_seconds


def test_blind_ticks_do_not_forget():
    """While the engine is away nothing is known to have ended."""
    memory = Memory({"p": PoolMemory(drains=(Drain("a", NOW - 5, "x"),), ready=("a", "b"), failures=2)})
    kept = told(memory, seen(waiting=0, containers=None))

    assert (("a", "b"), 2, 1) == (kept.ready, kept.failures, len(kept.drains))


def test_a_pool_that_is_removed_while_nobody_lists_is_not_forgotten():
    """Its workers are ours all the same: as soon as the engine lists again they count, and are sent home."""
    blind, later = seen(containers=None), seen(now=NOW + 4, containers=[container("old0", pool="old"), container("old1", pool="old")])
    before = Memory({"p": PoolMemory(), "old": PoolMemory(desired=2)})
    memory = remember(before, Record(NOW, "h", blind, decide(policies(), blind, before, NOW), ()))
    made = decide(policies(), later, memory, NOW + 4)

    assert [("old", 0, 2)] == [(d.pool, d.desired, len(d.actions)) for d in made.pools if d.pool == "old"]


def test_starts_that_died_with_the_daemon_are_not_waited_for():
    """kill -9 between ordering four starts and carrying them out: the next daemon orders what is missing at once."""
    memory = resume(after(policies(), seen(waiting=4), Memory(), NOW, result=Result.PENDING))

    assert len(decided(a_policy(), seen(waiting=4), memory, NOW + 3).actions) == 4


def test_a_resumed_memory_begins_its_window_anew():
    """After a restart the present size is the first recommendation, however long the daemon was away."""
    memory = resume(Memory({"p": PoolMemory(recommendations=((NOW - 9999, 0),), ready=("p0",))}))

    assert decided(a_policy(), seen(waiting=0, **fleet(0)), memory).desired == 1


def test_a_need_of_yesterday_is_forgotten():
    """No window is longer than a day."""
    memory = Memory({"p": PoolMemory(recommendations=((NOW - LONGEST_WINDOW_SECONDS, 9), (NOW - 60, 3)))})

    assert ((NOW - 60, 3), (NOW, 0)) == told(memory, seen(waiting=0)).recommendations


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30))
def test_any_window_finds_its_highest_and_lowest_count(counts):
    """Most counts are forgotten, and still what remains holds the extremes since any look, as all of them together would."""
    look, memory = seen(waiting=0), Memory({"p": PoolMemory(recommendations=((NOW, counts[0]),))})
    for second, count in enumerate(counts):
        now = NOW + second
        made = decide(policies(), look, memory, now)
        made = replace(made, pools=tuple(replace(pool, recommended=count) for pool in made.pools))
        memory = remember(memory, Record(now, "h", look, made, ()))
    kept = memory.of("p").recommendations

    for since in range(len(counts)):
        left = [count for at, count in kept if at >= NOW + since]
        assert (min(counts[since:]), max(counts[since:])) == (min(left), max(left))
    assert len(kept) <= 2 * len(set(counts))
