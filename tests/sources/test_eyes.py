"""The fan-out: whatever the neighbours do, a look ends in time, and what was not seen is a gap."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from neighbours import (
    METRICS,
    QUEUES,
    REDIRECT,
    STATUS,
    WORKERS,
    Page,
    Reply,
    as_json,
    babbling,
    bombing,
    dripping,
    endless,
    neighbour,
    recorded,
    silent,
    truncating,
)

from autoscaler.config.models import FlowerSettings
from autoscaler.errors import FleetUnreachable, SourceUnreachable
from autoscaler.model import (
    Container,
    ContainerState,
    Known,
    Observation,
    Policies,
    PoolPolicy,
    SourceSight,
    Stale,
    Unknown,
)
from autoscaler.sources.eyes import Eyes
from autoscaler.sources.flower import FlowerSource
from autoscaler.sources.sight import Sight, Source, Voice, Wanted

NOW = 1000.0
PATIENCE = 0.15
POLICIES = Policies("t", 2.0, 5, {"mail": PoolPolicy("mail", ("mail", "bulk"), 0, 5, 1), "bulk": PoolPolicy("bulk", ("bulk",), 0, 5, 1)})
RUNNING = Container("1", "t-mail-1", "mail", ContainerState.RUNNING, NOW - 9, "s", metrics="t-mail-1:9100")
EXITED = Container("2", "t-mail-2", "mail", ContainerState.EXITED, NOW - 9, "s", exit_code=0)


class Told:
    """A source that does what the test says, and remembers what it was asked."""

    def __init__(self, name: str, answer: Callable[[Wanted], Sight]) -> None:
        self.name = name
        self.answer = answer
        self.asked: list[Wanted] = []
        self.closed = False

    async def look(self, wanted: Wanted) -> Sight:
        """Answer as told."""
        self.asked.append(wanted)
        return self.answer(wanted)

    async def close(self) -> None:
        """Remember it."""
        self.closed = True


class Slow(Told):
    """A source that answers only once it is released."""

    def __init__(self, name: str, answer: Callable[[Wanted], Sight]) -> None:
        super().__init__(name, answer)
        self.release = threading.Event()
        self.in_flight = 0
        self.most = 0

    async def look(self, wanted: Wanted) -> Sight:
        """Answer when released."""
        self.asked.append(wanted)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            while not self.release.is_set():
                await asyncio.sleep(0.005)
        finally:
            self.in_flight -= 1
        return self.answer(wanted)


class SlowFleet:
    """A list call that hangs until it is released."""

    def __init__(self, listed: tuple[Container, ...]) -> None:
        self.listed = listed
        self.release = threading.Event()
        self.release.set()
        self.refusal: Exception | None = None
        self.calls = 0

    def __call__(self) -> tuple[Container, ...]:
        """List when released."""
        self.calls += 1
        assert self.release.wait(30)
        if self.refusal:
            raise self.refusal
        return self.listed


def raising(error: Exception) -> Callable[..., Sight]:
    """An answer that is an error."""

    def answer(*_: object) -> Sight:
        raise error

    return answer


def depth(n: int) -> Callable[[Wanted], Sight]:
    """An answer with this many messages in `mail`."""
    return lambda _: Sight(queues={"mail": n})


@contextmanager
def eyes(*sources: Source, fleet: Callable[[], tuple[Container, ...]] = tuple, patience: float = PATIENCE) -> Iterator[Eyes]:
    """Eyes on these, closed at the end."""
    looking = Eyes(fleet, sources, depth_from="auto", max_age_seconds=60.0, patience_seconds=patience)
    try:
        yield looking
    finally:
        looking.close()


def source(seen: Observation, name: str = "flower") -> SourceSight:
    """How one source answered."""
    return next(s for s in seen.sources if s.name == name)


def until(check: Callable[[], bool]) -> None:
    """Wait for something that another thread is about to do."""
    deadline = time.monotonic() + 5
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.002)


class TestWholeLook:
    def test_everything_in_one_observation(self) -> None:
        """Queues, workers, containers and how each source did come together, at the time of the tick."""
        flower = Told("flower", lambda _: Sight(queues={"mail": 3}, voices={"a": Voice("a", online=True, running=1)}))
        with eyes(flower, fleet=lambda: (RUNNING, EXITED), patience=5.0) as looking:
            seen = looking.look(POLICIES, NOW)

        assert seen.at == NOW
        assert seen.queues["mail"].waiting == Known(3, NOW, "flower")
        assert seen.workers["a"].running == Known(1, NOW, "flower")
        assert seen.containers == Known((RUNNING, EXITED), NOW, "fleet")
        assert [(s.name, s.up, s.detail, s.at) for s in seen.sources] == [("flower", True, "", NOW), ("fleet", True, "", NOW)]

    def test_every_queue_is_wanted_once(self) -> None:
        """Sources are asked for the queues of all pools, each once, and a queue nobody knows is in the observation too."""
        flower = Told("flower", depth(1))
        with eyes(flower, patience=5.0) as looking:
            seen = looking.look(POLICIES, NOW)

        assert flower.asked[0].queues == ("mail", "bulk")
        assert isinstance(seen.queues["bulk"].waiting, Unknown)

    def test_pages_get_running_containers(self) -> None:
        """Whose page can be asked is known from the list before: running containers only."""
        flower = Told("flower", depth(1))
        with eyes(flower, fleet=lambda: (RUNNING, EXITED), patience=5.0) as looking:
            looking.look(POLICIES, NOW)
            looking.look(POLICIES, NOW + 2)

        assert [wanted.containers for wanted in flower.asked] == [(), (RUNNING,)]

    def test_look_ends_with_the_last_answer(self) -> None:
        """Patience is the most that is waited, not the least."""
        with eyes(Told("flower", depth(1)), patience=30.0) as looking:
            began = time.monotonic()
            looking.look(POLICIES, NOW)

            assert time.monotonic() - began < 5

    def test_partial_answer_counts_as_down(self) -> None:
        """A source that could not read a part is shown with what is wrong, and what it gave is used."""
        half = Told("flower", lambda _: Sight(queues={"mail": 3}, notes=("Flower refuses its API",), whole=False))
        with eyes(half, patience=5.0) as looking:
            seen = looking.look(POLICIES, NOW)

        assert (source(seen).up, source(seen).detail) == (False, "Flower refuses its API")
        assert seen.queues["mail"].waiting == Known(3, NOW, "flower")


class TestCircuit:
    def test_who_fails_again_and_again_is_asked_more_rarely(self) -> None:
        """After five failures in a row the pauses double, up to 8 s; others are asked in every look, and one answer ends it."""
        ill, well = Told("flower", raising(SourceUnreachable("no connection"))), Told("primary", depth(2))
        with eyes(ill, well, patience=5.0) as looking:
            seen = [looking.look(POLICIES, NOW + 2 * turn) for turn in range(12)]
            ill.answer = depth(1)
            seen += [looking.look(POLICIES, NOW + 2 * turn) for turn in range(12, 18)]

        assert [0, 2, 4, 6, 8, 10, 14, 22, 30, 32, 34] == [asked.now - NOW for asked in ill.asked]
        assert len(well.asked) == 18
        assert [False] * 4 + [True] * 11 + [False] * 3 == [source(look).circuit_open for look in seen]
        assert [False] * 15 + [True] * 3 == [source(look).up for look in seen]
        assert source(seen[4]).detail == "no connection (failed 5 times in a row: asked every 2 s until it answers)"

    def test_an_open_circuit_is_no_sight(self) -> None:
        """What was known before counts as little as after a failure, also in looks that leave the neighbour alone."""
        ill = Told("flower", depth(1))
        with eyes(ill, patience=5.0) as looking:
            looking.look(POLICIES, NOW)
            ill.answer = raising(SourceUnreachable("no connection"))
            seen = [looking.look(POLICIES, NOW + 2 * turn) for turn in range(1, 9)]

        assert [Stale(1, NOW, "flower", "no connection")] * 8 == [look.queues["mail"].waiting for look in seen]

    def test_the_list_of_containers_has_one_too(self) -> None:
        """An engine that refuses is asked more rarely, and heard as soon as it lists again."""
        fleet = SlowFleet((RUNNING,))
        fleet.refusal = FleetUnreachable("no socket")
        with eyes(fleet=fleet, patience=5.0) as looking:
            for turn in range(8):
                looking.look(POLICIES, NOW + 2 * turn)
            assert (fleet.calls, source(looking.look(POLICIES, NOW + 16), "fleet").circuit_open) == (7, True)
            fleet.refusal = None
            assert looking.look(POLICIES, NOW + 24).containers.value == (RUNNING,)


class TestLateAnswers:
    def test_silent_source_costs_the_patience(self) -> None:
        """A source that does not answer is a gap that says since when, and the others are not lost."""
        with eyes(Slow("flower", depth(9)), Told("primary", depth(2))) as looking:
            began = time.monotonic()
            seen = looking.look(POLICIES, NOW)

            assert PATIENCE <= time.monotonic() - began < PATIENCE + 1
        assert seen.queues["mail"].waiting == Known(2, NOW, "primary")
        assert not source(seen).up
        assert source(seen).detail.startswith("has not answered for 0.")
        assert source(seen).seconds >= PATIENCE

    def test_late_answer_keeps_its_time(self) -> None:
        """An answer that comes after its tick is taken up by a later one, with the time it was asked for."""
        late = Slow("flower", depth(4))
        with eyes(late) as looking:
            first = looking.look(POLICIES, NOW)
            late.release.set()
            until(lambda: late.in_flight == 0)
            late.release.clear()
            second = looking.look(POLICIES, NOW + 2)

        assert isinstance(first.queues["mail"].waiting, Unknown)
        assert second.queues["mail"].waiting == Known(4, NOW, "flower")
        assert (source(second).up, source(second).at) == (True, NOW)

    def test_very_late_answer_is_stale(self) -> None:
        """An answer asked for longer ago than the greatest age is shown and not believed."""
        late = Slow("flower", depth(4))
        with eyes(late) as looking:
            looking.look(POLICIES, NOW)
            late.release.set()
            until(lambda: late.in_flight == 0)
            late.release.clear()
            seen = looking.look(POLICIES, NOW + 90)

        assert seen.queues["mail"].waiting == Stale(4, NOW, "flower", "is 90 s old, and 60 s is the limit")

    def test_one_look_in_flight_per_source(self) -> None:
        """A source that hangs is asked once, however many ticks pass."""
        hung = Slow("flower", depth(1))
        with eyes(hung, patience=0.01) as looking:
            for turn in range(10):
                looking.look(POLICIES, NOW + turn)

            assert (len(hung.asked), hung.most) == (1, 1)

    def test_waiting_leaves_the_last_value_until_it_ages(self) -> None:
        """While a new look is in flight the answer before it still counts; the source itself is shown as waiting."""
        flower = Slow("flower", depth(1))
        flower.release.set()
        with eyes(flower, patience=0.5) as looking:
            looking.look(POLICIES, NOW)
            flower.release.clear()
            soon, later = looking.look(POLICIES, NOW + 2), looking.look(POLICIES, NOW + 70)

        assert soon.queues["mail"].waiting == Known(1, NOW, "flower")
        assert "has not answered" in source(soon).detail
        assert isinstance(later.queues["mail"].waiting, Stale)

    def test_failure_makes_the_last_value_stale(self) -> None:
        """Once a look has failed, the value before it is no longer believed."""
        flower = Told("flower", depth(1))
        with eyes(flower, patience=5.0) as looking:
            looking.look(POLICIES, NOW)
            flower.answer = raising(SourceUnreachable("cannot reach http://flower:5555: connection refused"))
            seen = looking.look(POLICIES, NOW + 2)

        assert seen.queues["mail"].waiting == Stale(1, NOW, "flower", "cannot reach http://flower:5555: connection refused")
        assert not source(seen).up

    def test_our_own_fault_is_a_gap(self) -> None:
        """A source that raises what it should not is named as our fault, by type, without its text."""
        with eyes(Told("flower", raising(KeyError("hunter2"))), fleet=raising(ValueError("hunter2")), patience=5.0) as looking:  # type: ignore[arg-type]
            seen = looking.look(POLICIES, NOW)

        assert "fault of the autoscaler itself (KeyError)" in source(seen).detail
        assert "(ValueError)" in source(seen, "fleet").detail
        assert "hunter2" not in repr(seen)

    def test_forgotten_deadline_is_ended(self) -> None:
        """A source that never ends by itself is freed after the greatest age, and asked again."""
        hung = Slow("flower", depth(1))
        looking = Eyes(tuple, [hung], depth_from="auto", max_age_seconds=0.1, patience_seconds=0.5)
        try:
            seen = looking.look(POLICIES, NOW)
            looking.look(POLICIES, NOW + 2)
        finally:
            looking.close()

        assert source(seen).detail == "did not answer in time"
        assert len(hung.asked) == 2


class TestContainers:
    def test_stuck_list_is_unknown_then_stale(self) -> None:
        """A list that hangs is never an empty one, and an old list is only shown."""
        fleet = SlowFleet((RUNNING,))
        with eyes(fleet=fleet) as looking:
            fleet.release.clear()
            never = looking.look(POLICIES, NOW)
            fleet.release.set()
            until(lambda: isinstance(looking.look(POLICIES, NOW + 2).containers, Known))
            fleet.release.clear()
            stuck = looking.look(POLICIES, NOW + 4)
            fleet.release.set()

        assert isinstance(never.containers, Unknown)
        assert "has not answered for" in never.containers.why
        assert isinstance(stuck.containers, Stale)
        assert stuck.containers.value == (RUNNING,)
        assert not source(stuck, "fleet").up

    def test_refused_list_is_stale(self) -> None:
        """When the engine refuses, the old list is shown with the reason."""
        fleet = SlowFleet((RUNNING,))
        with eyes(fleet=fleet, patience=5.0) as looking:
            looking.look(POLICIES, NOW)
            fleet.refusal = FleetUnreachable("no permission")

            assert looking.look(POLICIES, NOW + 2).containers == Stale((RUNNING,), NOW, "fleet", "no permission")

    def test_stuck_list_does_not_pile_up(self) -> None:
        """Fifty ticks with a hanging engine and a hanging source leave one thread and one look behind."""
        fleet, hung = SlowFleet(()), Slow("flower", depth(1))
        fleet.release.clear()
        with eyes(hung, fleet=fleet, patience=0.001) as looking:
            looking.look(POLICIES, NOW)
            threads = threading.active_count()
            gc.collect()
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            for turn in range(50):
                looking.look(POLICIES, NOW + turn)
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
            tracemalloc.stop()

            assert threading.active_count() == threads
            assert (fleet.calls, len(hung.asked)) == (1, 1)
            assert grown < 100_000
            fleet.release.set()


class TestClockThatIsSet:
    def test_containers_keep_their_age(self) -> None:
        """An hour's jump makes no young worker old; one that starts after it is dated by the new clock."""
        listed = [RUNNING]
        with eyes(fleet=lambda: tuple(listed)) as looking:
            looking.look(POLICIES, NOW)
            looking.shift(3600.0)
            listed.append(Container("3", "t-mail-3", "mail", ContainerState.RUNNING, NOW + 3601, "s"))
            found = looking.look(POLICIES, NOW + 3602).containers

        assert isinstance(found, Known)
        assert [NOW - 9 + 3600, NOW + 3601] == [container.created_at for container in found.value]

    def test_nobody_comes_from_tomorrow(self) -> None:
        """A container that is first listed after the clock was set back an hour does not stay young for an hour."""
        with eyes(fleet=lambda: (RUNNING,)) as looking:
            found = looking.look(POLICIES, NOW - 3600).containers

        assert isinstance(found, Known)
        assert [NOW - 3600] == [container.created_at for container in found.value]

    def test_answers_keep_their_age(self) -> None:
        """What was said two seconds ago is believed after the jump as before it."""
        source = Slow("flower", depth(7))
        source.release.set()
        with eyes(source) as looking:
            looking.look(POLICIES, NOW)
            source.release.clear()
            looking.shift(3600.0)
            seen = looking.look(POLICIES, NOW + 3602)
            source.release.set()

        assert Known(7, NOW + 3600, "flower") == seen.queues["mail"].waiting


class TestConfigure:
    def configure(self, looking: Eyes, sources: Sequence[Source]) -> None:
        """Take these sources."""
        looking.configure(sources, depth_from="auto", max_age_seconds=60.0, patience_seconds=PATIENCE)

    def test_late_answer_of_old_settings_is_dropped(self) -> None:
        """What was asked under other settings is not taken up, and the old source is closed."""
        old, new = Slow("flower", depth(7)), Slow("flower", depth(1))
        with eyes(old) as looking:
            looking.look(POLICIES, NOW)
            self.configure(looking, [new])
            old.release.set()
            until(lambda: old.in_flight == 0)
            seen = looking.look(POLICIES, NOW + 2)

        assert isinstance(seen.queues["mail"].waiting, Unknown)
        assert old.closed

    def test_kept_source_keeps_its_answer(self) -> None:
        """A source that stays is not closed, and its last answer still counts."""
        kept, gone = Slow("flower", depth(7)), Told("primary", depth(1))
        kept.release.set()
        with eyes(kept, gone, patience=0.5) as looking:
            looking.look(POLICIES, NOW)
            self.configure(looking, [kept])
            kept.release.clear()
            seen = looking.look(POLICIES, NOW + 2)

            assert (kept.closed, gone.closed) == (False, True)
        assert seen.queues["mail"].waiting == Known(7, NOW, "flower")
        assert [s.name for s in seen.sources] == ["flower", "fleet"]


class TestClose:
    def test_close_ends_what_hangs(self) -> None:
        """Closing takes less than two seconds, whatever is in flight, and ends the sources' thread."""
        fleet, hung = SlowFleet(()), Slow("flower", depth(1))
        fleet.release.clear()
        looking = Eyes(fleet, [hung], depth_from="auto", max_age_seconds=60.0, patience_seconds=0.01)
        looking.look(POLICIES, NOW)
        began = time.monotonic()
        looking.close()

        assert time.monotonic() - began < 2
        assert hung.closed
        assert "sources" not in {thread.name for thread in threading.enumerate()}
        fleet.release.set()

    def test_close_gives_up_on_a_source(self) -> None:
        """A source that will not close does not hold the shutdown."""

        class Sticky(Told):
            async def close(self) -> None:
                await asyncio.sleep(3600)

        looking = Eyes(tuple, [Sticky("flower", depth(1))], depth_from="auto", max_age_seconds=60.0, patience_seconds=1.0)
        began = time.monotonic()
        looking.close()

        assert time.monotonic() - began < 2


GOOD: dict[str, Page] = {
    QUEUES: as_json({"active_queues": [{"name": "mail", "messages": 3}]}),
    STATUS: recorded("2.2.0", "s03-one-worker/workers_status"),
    WORKERS: recorded("2.2.0", "s04-one-worker-busy/root_json"),
    METRICS: recorded("2.2.0", "s04-one-worker-busy/metrics"),
}


class TestRealNeighbours:
    @pytest.mark.parametrize(
        ("page", "words"),
        [
            pytest.param(Reply(500, "text/html"), "500", id="500"),
            pytest.param(recorded("2.2.0", "s10-auth-no-env-no-basic/workers_status"), "FLOWER_UNAUTHENTICATED_API", id="401"),
            pytest.param(Reply(200, "text/plain", b"\x00\x01garbage"), "no JSON", id="garbage"),
            pytest.param(as_json({}), "is this Flower?", id="empty object"),
            pytest.param(REDIRECT, "login.example", id="redirect"),
            pytest.param(bombing, "compressed", id="gzip bomb"),
            pytest.param(endless, "more than", id="endless"),
            pytest.param(truncating, "broke off", id="truncated"),
            pytest.param(babbling, "does not speak HTTP", id="another protocol"),
            pytest.param(dripping, "did not answer in full", id="dripping"),
            pytest.param(silent, "did not answer in full", id="silent"),
        ],
    )
    def test_misbehaving_flower_is_a_gap(self, page: Page, words: str) -> None:
        """Whatever Flower does, each look ends within the patience, nothing becomes zero, and the reason is told in the end."""
        with neighbour(page) as there, eyes(FlowerSource(FlowerSettings(url=there.url, timeout="1500ms"))) as looking:
            for turn in range(40):
                began = time.monotonic()
                seen = looking.look(POLICIES, NOW + turn)

                assert time.monotonic() - began < PATIENCE + 1
                assert isinstance(seen.queues["mail"].waiting, Unknown)
                assert seen.workers == {}
                if words in source(seen).detail:
                    break

        assert words in source(seen).detail
        assert not source(seen).up

    def test_flower_that_dies_and_returns(self) -> None:
        """Values go stale when Flower fails and are known again when it is back, without a restart of ours."""
        with neighbour(GOOD) as there, eyes(FlowerSource(FlowerSettings(url=there.url, timeout="1s")), patience=5.0) as looking:
            good = looking.look(POLICIES, NOW)
            there.pages = {"*": Reply(502, "text/html")}
            bad = looking.look(POLICIES, NOW + 2)
            there.pages = dict(GOOD)
            again = looking.look(POLICIES, NOW + 4)

        assert good.queues["mail"].waiting == Known(3, NOW, "flower")
        assert good.workers["w1@lab"].running == Known(2, NOW, "flower")
        assert isinstance(bad.queues["mail"].waiting, Stale)
        assert isinstance(bad.workers["w1@lab"].running, Stale)
        assert again.queues["mail"].waiting == Known(3, NOW + 4, "flower")
