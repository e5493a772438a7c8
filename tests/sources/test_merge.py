"""The rules of belief: which of the sources' words become known, stale or unknown."""

from __future__ import annotations

import pytest

from autoscaler.model import Known, QueueSight, Reading, Stale, Unknown, WorkerSight
from autoscaler.sources.flower import NOT_LISTED
from autoscaler.sources.merge import ALL_OFFLINE, DEAF, Answer, DepthFrom, merge
from autoscaler.sources.sight import Sight, Voice

NOW = 1000.0
MAX_AGE = 60.0


def answered(source: str, *, age: float = 0.0, error: str = "", **sight: object) -> Answer[Sight]:
    """A source's answer of this tick, unless an age or an error says otherwise."""
    return Answer(source, NOW - age, Sight(**sight), error)  # type: ignore[arg-type]


def silent(source: str, error: str) -> Answer[Sight]:
    """A source that never gave anything."""
    return Answer(source, 0.0, None, error)


def queue(*answers: Answer[Sight], depth_from: DepthFrom = "auto") -> QueueSight:
    """What is known of the queue `mail`."""
    found, _ = merge(("mail",), {a.source: a for a in answers}, depth_from=depth_from, now=NOW, max_age_seconds=MAX_AGE)
    return found["mail"]


def workers(*answers: Answer[Sight]) -> dict[str, WorkerSight]:
    """What is known of all workers."""
    return merge((), {a.source: a for a in answers}, depth_from="auto", now=NOW, max_age_seconds=MAX_AGE)[1]


def flower(*voices: Voice, **how: object) -> Answer[Sight]:
    """Flower's answer about workers."""
    return answered("flower", voices={voice.name: voice for voice in voices}, **how)  # type: ignore[arg-type]


def pages(*voices: Voice, **how: object) -> Answer[Sight]:
    """The answer of the workers' own pages."""
    return answered("workers", voices={voice.name: voice for voice in voices}, **how)  # type: ignore[arg-type]


def why(reading: Reading[object]) -> str:
    """The reason of a reading that is not known."""
    assert not isinstance(reading, Known)
    return reading.why


HEARD = Voice("a", online=True, running=1, reserved=2, started=9, finished=8, heard_at=NOW - 1, heard_every=2.0)


class TestAge:
    @pytest.mark.parametrize(("age", "kind"), [(0.0, Known), (59.0, Known), (60.0, Known), (60.5, Stale), (9000.0, Stale)])
    def test_old_answers_are_stale(self, age: float, kind: type) -> None:
        """An answer is known up to the limit, and shown with its age beyond it."""
        waiting = queue(answered("flower", age=age, queues={"mail": 3})).waiting

        assert isinstance(waiting, kind)
        assert (waiting.value, waiting.at, waiting.source) == (3, NOW - age, "flower")

    def test_failed_look_makes_stale(self) -> None:
        """When the look after it failed, the last value is shown with the failure as the reason."""
        waiting = queue(answered("flower", age=2, error="connection refused", queues={"mail": 3})).waiting

        assert waiting == Stale(3, NOW - 2, "flower", "connection refused")

    def test_never_answered_is_unknown(self) -> None:
        """Without any value there is only the reason."""
        assert queue(silent("flower", "has not answered for 3.2 s")).waiting == Unknown("has not answered for 3.2 s", "flower")

    def test_workers_go_stale_alike(self) -> None:
        """A failed look makes every word about workers stale."""
        seen = workers(flower(HEARD, error="connection refused"))["a"]

        assert seen.online == Stale(True, NOW, "flower", "connection refused")
        assert seen.running == Stale(1, NOW, "flower", "connection refused")


class TestQueues:
    def test_unlisted_queue_is_unknown(self) -> None:
        """A queue that Flower does not list is unknown in words that say what to do, and never zero."""
        assert queue(answered("flower", gaps={"mail": NOT_LISTED})).waiting == Unknown(NOT_LISTED, "flower")

    def test_queue_without_reason_is_unknown(self) -> None:
        """A source that gives neither number nor reason gives no zero either."""
        assert why(queue(answered("primary")).waiting) == "primary does not list this queue"

    def test_broker_fills_the_gap(self) -> None:
        """What Flower does not list, the broker knows, zero included."""
        waiting = queue(answered("flower", gaps={"mail": NOT_LISTED}), answered("primary", queues={"mail": 0})).waiting

        assert waiting == Known(0, NOW, "primary")

    @pytest.mark.parametrize(
        ("by_flower", "by_broker", "source"), [(0, 4, "primary"), (4, 0, "flower"), (7, 5, "flower"), (1, 3, "primary")]
    )
    def test_greatest_wins(self, by_flower: int, by_broker: int, source: str) -> None:
        """Where two sources differ, more work is believed, zero against something above all."""
        waiting = queue(answered("flower", queues={"mail": by_flower}), answered("primary", queues={"mail": by_broker})).waiting

        assert waiting == Known(max(by_flower, by_broker), NOW, source)

    def test_known_beats_stale(self) -> None:
        """A number of now counts before a greater one of then."""
        waiting = queue(answered("flower", error="down", queues={"mail": 9}), answered("primary", queues={"mail": 2})).waiting

        assert waiting == Known(2, NOW, "primary")

    def test_newest_stale_is_shown(self) -> None:
        """Of several old numbers the newest is shown."""
        waiting = queue(
            answered("flower", age=100, queues={"mail": 9}), answered("primary", age=5, error="down", queues={"mail": 2})
        ).waiting

        assert waiting == Stale(2, NOW - 5, "primary", "down")

    def test_all_reasons_are_told(self) -> None:
        """When nobody knows, every source's reason is in the text, each once."""
        waiting = queue(answered("flower", gaps={"mail": "not listed"}), silent("primary", "refused"), silent("second", "refused")).waiting

        assert waiting == Unknown("not listed; refused", "flower, primary, second")

    @pytest.mark.parametrize(
        ("depth_from", "expected"),
        [("flower", Known(9, NOW, "flower")), ("broker", Known(2, NOW, "primary")), ("auto", Known(9, NOW, "flower"))],
    )
    def test_depth_from_chooses(self, depth_from: DepthFrom, expected: Known[int]) -> None:
        """`depth_from` names who is asked for depths."""
        answers = (answered("flower", queues={"mail": 9}), answered("primary", queues={"mail": 2}))

        assert queue(*answers, depth_from=depth_from).waiting == expected

    def test_no_broker_to_ask_says_so(self) -> None:
        """`depth_from: broker` without a broker is explained."""
        assert "add the broker" in why(queue(answered("flower", queues={"mail": 9}), depth_from="broker").waiting)

    def test_pages_give_no_depth(self) -> None:
        """The workers' pages are not asked for queues, so they add no reason."""
        assert queue(answered("workers"), answered("flower", queues={"mail": 1})).waiting == Known(1, NOW, "flower")
        assert "workers" not in why(queue(answered("workers"), silent("flower", "down")).waiting)

    def test_unacked_comes_from_brokers(self) -> None:
        """Unacknowledged messages are known where a broker is read, whoever gives the depth."""
        sight = queue(answered("flower", queues={"mail": 0}), answered("primary", unacked={"mail": 4}), depth_from="flower")

        assert sight.unacked == Known(4, NOW, "primary")

    def test_unacked_without_broker_is_unknown(self) -> None:
        """Flower cannot see them at all."""
        assert queue(answered("flower", queues={"mail": 0})).unacked == Unknown("no broker is read directly")


class TestFlowersWord:
    def test_heard_worker_is_believed(self) -> None:
        """An online worker that was heard just now is believed in everything Flower says; the rest stays unknown."""
        seen = workers(flower(HEARD))["a"]

        assert seen.online == Known(True, NOW, "flower")
        assert [seen.running, seen.reserved, seen.started, seen.finished] == [Known(n, NOW, "flower") for n in (1, 2, 9, 8)]
        assert [why(r) for r in (seen.scheduled, seen.draining, seen.slots)] == ["Flower does not say"] * 3

    def test_offline_worker_hides_its_tasks(self) -> None:
        """A draining worker looks offline while it still runs tasks, so what it runs is unknown, not the frozen number and not zero."""
        gone = Voice("a", online=False, running=2, reserved=12, heard_at=NOW - 1)
        seen = workers(flower(gone, Voice("b", online=True, heard_at=NOW)))["a"]

        assert seen.online == Known(False, NOW, "flower")
        assert "draining or cut off" in why(seen.running)
        assert isinstance(seen.running, Unknown)
        assert isinstance(seen.reserved, Unknown)

    def test_flap_at_the_end_of_a_drain(self) -> None:
        """When the last task events of a draining worker make it online again, its tasks are seen again, too many rather than too few."""
        back = Voice("a", online=True, running=2, heard_at=NOW)

        assert workers(flower(back))["a"].running == Known(2, NOW, "flower")

    def test_single_offline_worker_is_offline(self) -> None:
        """One listed worker that is offline says nothing about Flower."""
        assert workers(flower(Voice("a", online=False)))["a"].online == Known(False, NOW, "flower")

    def test_all_offline_is_doubt_about_flower(self) -> None:
        """All workers offline at once is Flower's or the broker's trouble: nobody counts as lost."""
        seen = workers(flower(Voice("a", online=False, running=0), Voice("b", online=False, running=0)))

        assert {name: sight.online for name, sight in seen.items()} == dict.fromkeys("ab", Stale(False, NOW, "flower", ALL_OFFLINE))
        assert why(seen["a"].running) == ALL_OFFLINE

    def test_missing_number_is_unknown(self) -> None:
        """Online without a number of running tasks is not idle."""
        assert workers(flower(Voice("a", online=True, heard_at=NOW)))["a"].running == Unknown("Flower does not say", "flower")

    def test_missing_status_is_unknown(self) -> None:
        """Without a status neither the worker nor its tasks are known."""
        seen = workers(flower(Voice("a", running=0, heard_at=NOW)))["a"]

        assert why(seen.online) == why(seen.running) == "Flower does not say whether it is online"


class TestSilence:
    @pytest.mark.parametrize(
        ("silent_for", "every", "kind"),
        [
            pytest.param(0.0, 2.0, Known, id="just heard"),
            pytest.param(10.0, 2.0, Known, id="at the limit"),
            pytest.param(10.5, 2.0, Stale, id="five beats missed"),
            pytest.param(10.5, None, Stale, id="beat unknown"),
            pytest.param(29.0, 10.0, Known, id="slow beat"),
            pytest.param(31.0, 10.0, Stale, id="slow beat missed"),
            pytest.param(61.0, 50.0, Stale, id="never more than the greatest age"),
        ],
    )
    def test_silence_makes_stale(self, silent_for: float, every: float | None, kind: type) -> None:
        """A worker that Flower calls online and has not heard is doubted, by its own measure."""
        voice = Voice("a", online=True, running=0, heard_at=NOW - silent_for, heard_every=every)
        seen = workers(flower(voice))["a"]

        assert isinstance(seen.running, kind)
        assert isinstance(seen.online, kind)

    def test_silence_is_measured_when_asked(self) -> None:
        """An answer that comes late does not make its workers silent: the age of the answer is judged by itself."""
        late = flower(Voice("a", online=True, running=0, heard_at=NOW - 20), age=18)

        assert workers(late)["a"].running == Known(0, NOW - 18, "flower")

    def test_unheard_among_heard_is_doubted(self) -> None:
        """Where others were heard, one that never was is not believed."""
        seen = workers(flower(HEARD, Voice("b", online=True, running=0)))

        assert why(seen["b"].running) == "Flower calls it online, and no heartbeat of it has been seen yet"
        assert isinstance(seen["a"].running, Known)

    def test_without_heartbeats_status_is_believed(self) -> None:
        """Where no heartbeat can be seen at all, Flower's status stands for it."""
        assert workers(flower(Voice("a", online=True, running=0)))["a"].running == Known(0, NOW, "flower")


class TestDeafFlower:
    """A Flower that repeats old answers calls its workers online and hears none of them."""

    OLD = Voice("a", online=True, running=0, heard_at=NOW - 30, heard_every=2.0)

    def test_its_depths_are_not_believed(self) -> None:
        """An old zero must not hide new work."""
        seen = queue(answered("flower", queues={"mail": 0}, voices={"a": self.OLD})).waiting

        assert isinstance(seen, Stale)
        assert seen.why == DEAF

    @pytest.mark.parametrize("voice", [HEARD, Voice("b", online=True, running=0)], ids=["one is heard", "one has just come"])
    def test_one_voice_is_enough(self, voice: Voice) -> None:
        """While it hears anybody, or somebody has just come, it is not deaf."""
        seen = queue(answered("flower", queues={"mail": 0}, voices={"a": self.OLD, voice.name + "2": voice})).waiting

        assert isinstance(seen, Known)

    def test_workers_that_left_do_not_count(self) -> None:
        """Old names that it calls offline say nothing about its hearing."""
        gone = Voice("a", online=False, heard_at=NOW - 3000, heard_every=2.0)

        assert isinstance(queue(answered("flower", queues={"mail": 0}, voices={"a": gone})).waiting, Known)

    def test_the_broker_still_tells(self) -> None:
        """What the broker says is known all the same."""
        deaf = answered("flower", queues={"mail": 0}, voices={"a": self.OLD})

        assert queue(deaf, answered("broker:b", queues={"mail": 4})).waiting == Known(4, NOW, "broker:b")


class TestPages:
    def test_own_page_wins_per_field(self) -> None:
        """What a worker says itself goes before Flower, and Flower fills what it leaves out."""
        seen = workers(flower(HEARD), pages(Voice("a", online=True, running=4, scheduled=3, draining=True)))["a"]

        assert (seen.running, seen.scheduled) == (Known(4, NOW, "workers"), Known(3, NOW, "workers"))
        assert seen.draining == Known(True, NOW, "workers")
        assert seen.reserved == Known(2, NOW, "flower")

    def test_page_answers_while_flower_is_deaf(self) -> None:
        """A draining or solo worker that Flower counts offline still tells what it runs."""
        deaf = flower(Voice("a", online=False), Voice("b", online=False))

        assert workers(deaf, pages(Voice("a", online=True, running=1)))["a"].running == Known(1, NOW, "workers")

    def test_known_flower_beats_stale_page(self) -> None:
        """When the pages failed, Flower's word of now is taken."""
        stale = pages(Voice("a", online=True, running=0), error="unreachable")

        assert workers(flower(HEARD), stale)["a"].running == Known(1, NOW, "flower")

    def test_stale_page_beats_unknown(self) -> None:
        """An old word is shown before none."""
        stale = pages(Voice("a", online=True, running=0), error="unreachable")

        assert workers(flower(Voice("a", online=False)), stale)["a"].running == Stale(0, NOW, "workers", "unreachable")

    def test_pages_alone_are_enough(self) -> None:
        """A worker that Flower never hears is seen through its page."""
        assert workers(silent("flower", "down"), pages(Voice("a", online=True, running=0)))["a"].online == Known(True, NOW, "workers")


def test_unknown_worker_has_no_entry() -> None:
    """A worker that nobody lists is absent, which is not the same as idle."""
    assert workers(flower(), pages()) == {}
