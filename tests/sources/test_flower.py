"""The Flower source on recorded answers of 2.2.0 and 2.0.1, with every trap that was found in them."""

from __future__ import annotations

import asyncio
import base64
import socket
import time
from collections.abc import Mapping
from typing import Any

import pytest
from neighbours import METRICS, QUEUES, REDIRECT, STATUS, WORKERS, Neighbour, Page, Reply, as_json, dripping, neighbour, recorded, silent
from pydantic import SecretStr

from autoscaler.config.models import FlowerSettings
from autoscaler.errors import AnswerUnusable, SightError, SourceUnreachable
from autoscaler.sources.flower import API_CLOSED, CONSUMERS, NOT_LISTED, FlowerSource
from autoscaler.sources.sight import Sight, Voice, Wanted

NOW = 1000.0


def looks(
    there: Neighbour,
    *changes: Mapping[str, Page],
    queues: tuple[str, ...] = ("celery",),
    step: float = 2.0,
    depths: bool = True,
    **settings: object,
) -> list[Sight]:
    """One look, and one more after each change of the pages, `step` seconds apart, by the same source."""

    async def all_of_them() -> list[Sight]:
        source = FlowerSource(FlowerSettings.model_validate({"url": there.url, **settings}), depths=depths)
        try:
            sights = [await source.look(Wanted(NOW, queues))]
            for turn, change in enumerate(changes, 1):
                there.pages.update(change)
                sights.append(await source.look(Wanted(NOW + turn * step, queues)))
            return sights
        finally:
            await source.close()

    return asyncio.run(all_of_them())


def look(pages: Mapping[str, Page] | Page, queues: tuple[str, ...] = ("celery",), **settings: Any) -> Sight:
    """What one look at these pages gives."""
    with neighbour(pages) as there:
        return looks(there, queues=queues, **settings)[0]


def refusal(pages: Mapping[str, Page] | Page, **settings: Any) -> SightError:
    """The error of a look that must fail."""
    with pytest.raises(SightError) as caught:
        look(pages, **settings)
    return caught.value


def situation(version: str, **names: str) -> dict[str, Page]:
    """The pages of one recorded situation."""
    paths = {"queues": QUEUES, "status": STATUS, "workers": WORKERS, "metrics": METRICS}
    return {paths[page]: recorded(version, name) for page, name in names.items()}


BUSY = {
    "2.2.0": situation(
        "2.2.0",
        queues="s04-one-worker-busy/queues_length",
        status="s03-one-worker/workers_status",
        workers="s04-one-worker-busy/root_json",
        metrics="s04-one-worker-busy/metrics",
    ),
    "2.0.1": situation("2.0.1", queues="queues_length", status="workers_status", workers="root_json", metrics="metrics"),
}
NAME = {"2.2.0": "w1@lab", "2.0.1": "ow@lab"}


@pytest.fixture(params=["2.2.0", "2.0.1"])
def version(request: pytest.FixtureRequest) -> str:
    """Each Flower that answers were recorded from."""
    return str(request.param)


class TestWholeLook:
    def test_busy_worker_is_seen_whole(self, version: str) -> None:
        """Waiting, running, prefetched and counted tasks all come from pages that cost the broker nothing."""
        sight = look(BUSY[version], ("celery", "video"))

        assert sight.queues == ({"celery": 5} if version == "2.2.0" else {"celery": 2, "video": 0})
        assert sight.voices[NAME[version]] == Voice(
            NAME[version],
            online=True,
            running=2,
            reserved=8,
            started=5 if version == "2.2.0" else 2,
            finished=3 if version == "2.2.0" else None,
            heard_every=2.0,
        )
        assert sight.notes == ()
        assert sight.whole

    def test_four_pages_and_no_refresh(self, version: str) -> None:
        """Nothing is asked that makes Flower inspect workers, or fills its answer with stale `active` and `reserved`."""
        with neighbour(BUSY[version]) as there:
            looks(there, {}, {})

            assert set(there.requests) == {QUEUES, STATUS, WORKERS, METRICS, CONSUMERS}
            assert there.requests.count(CONSUMERS) == 1  # because of a worker that is not ours, and not again
            assert not [path for path in there.requests if "refresh" in path]

    def test_executing_gauge_stands_in(self) -> None:
        """Without the workers page the metrics page tells what runs, and nobody's heartbeat is known."""
        pages = {**BUSY["2.2.0"], WORKERS: Reply(404, "text/html", b"gone")}
        sight = look(pages)

        assert (sight.voices["w1@lab"].running, sight.voices["w1@lab"].heard_at) == (2, None)
        assert sight.whole
        assert "404" in sight.notes[0]

    def test_thirty_workers_are_heard(self) -> None:
        """Every worker of a large fleet has a voice."""
        pages = {**BUSY["2.2.0"], STATUS: recorded("2.2.0", "s40-30-workers/workers_status_30")}

        assert sum(voice.online is True for voice in look(pages).voices.values()) == 30

    def test_workers_of_others_are_kept(self) -> None:
        """A worker that is not ours may hold tasks of our queues, so its voice is kept too."""
        assert "celery@same" in look({**BUSY["2.2.0"], STATUS: recorded("2.2.0", "s31-duplicate-nodename/status")}).voices


class TestQueues:
    @pytest.mark.parametrize(
        ("release", "page", "queues", "seen"),
        [
            pytest.param("2.2.0", "s01-zero-workers/queues_length", ("celery",), {"celery": 0}, id="no worker ever: the default queue"),
            pytest.param(
                "2.2.0", "s02-backlog-zero-workers/queues_length", ("celery", "video"), {"celery": 3}, id="backlog without worker"
            ),
            pytest.param("2.0.1", "queues_length_no_worker", ("celery", "video"), {"celery": 0}, id="2.0.1 without worker"),
            pytest.param("2.2.0", "s03-one-worker/queues_length", ("celery", "video"), {"celery": 0}, id="a worker on another queue"),
            pytest.param("2.2.0", "s05-control/queues_length_after_cancel_and_refresh", ("celery",), {}, id="last consumer cancelled"),
            pytest.param("2.2.0", "s07-flower-restarted-no-workers/queues_length", ("video",), {}, id="Flower restarted"),
            pytest.param(
                "2.2.0",
                "s14-flower-conf-task_queues/queues_length_no_worker",
                ("mail", "video"),
                {"mail": 10, "video": 5},
                id="task_queues",
            ),
            pytest.param(
                "2.2.0", "s14-flower-conf-task_queues/queues_length_worker_inspected", ("mail", "video"), {"video": 0}, id="mail vanishes"
            ),
            pytest.param("2.2.0", "s16-priority-steps/queues_length", ("celery",), {"celery": 3}, id="priority lists are summed"),
            pytest.param("2.2.0", "s50-eta-scheduled/queues_length", ("celery",), {"celery": 2}, id="prefetched and ETA are not in it"),
        ],
    )
    def test_unlisted_queue_is_a_gap(self, release: str, page: str, queues: tuple[str, ...], seen: dict[str, int]) -> None:
        """What Flower lists has a number; what it does not list has a reason and never a zero."""
        sight = look({**BUSY["2.2.0"], QUEUES: recorded(release, page)}, queues)

        assert sight.queues == seen
        assert sight.gaps == {queue: NOT_LISTED for queue in queues if queue not in seen}
        assert sight.whole

    def test_queue_listed_twice_counts_once(self) -> None:
        """Of two numbers for one queue the greater is taken, whichever comes first."""
        listed = [{"name": "celery", "messages": n} for n in (2, 6, 1)]

        assert look({**BUSY["2.2.0"], QUEUES: as_json({"active_queues": listed})}).queues == {"celery": 6}

    def test_empty_list_is_no_zero(self) -> None:
        """With RabbitMQ, Flower answers an empty list when it cannot read the broker."""
        assert look({**BUSY["2.2.0"], QUEUES: as_json({"active_queues": []})}).gaps == {"celery": NOT_LISTED}

    @pytest.mark.parametrize("messages", [True, -1, 1e18, 10**18, float("nan"), 2.5, "7", None, [], float("inf")], ids=repr)
    def test_unbelievable_numbers_are_refused(self, messages: object) -> None:
        """A nonsense number spoils its own queue only."""
        listed = [{"name": "celery", "messages": messages}, {"name": "video", "messages": 4}, "odd", {"messages": 1}]
        sight = look({**BUSY["2.2.0"], QUEUES: as_json({"active_queues": listed})}, ("celery", "video"))

        assert sight.queues == {"video": 4}
        assert "no believable number" in sight.gaps["celery"]
        assert sight.gaps["celery"] in sight.notes

    @pytest.mark.parametrize(
        ("release", "page", "words"),
        [
            pytest.param("2.2.0", "s26-broker-down/queues_length_0", "cannot read its broker", id="broker down"),
            pytest.param("2.0.1", "queues_length_broker_down", "cannot read its broker", id="broker down, 2.0.1"),
            pytest.param("2.2.0", "s27-broker-frozen/queues_length", "cannot read its broker", id="broker frozen"),
            pytest.param("2.2.0", "s17-errors/queues_length_wrongtype", "cannot read its broker", id="a key of another type"),
            pytest.param("2.2.0", "s17-errors/queues_length_memory_broker", "'memory' broker is not supported", id="other transport"),
        ],
    )
    def test_depth_trouble_leaves_workers(self, release: str, page: str, words: str) -> None:
        """When only the depths cannot be read, the workers are seen all the same, and the queue's gap says why."""
        sight = look({**BUSY["2.2.0"], QUEUES: recorded(release, page)})

        assert words in sight.gaps["celery"]
        assert sight.voices["w1@lab"].running == 2
        assert not sight.whole


class TestWorkers:
    def test_warm_shutdown_looks_offline(self) -> None:
        """A worker that drains is reported as the status says; what that means is judged where sources are joined."""
        pages = {**BUSY["2.2.0"], STATUS: recorded("2.2.0", "s05-control/workers_status_during_shutdown")}

        assert look(pages).voices["w1@lab"].online is False

    def test_gauges_do_not_make_online(self) -> None:
        """`flower_worker_online` stays 1 for ever after a SIGKILL, so that page alone proves no life."""
        pages = {
            QUEUES: as_json({"active_queues": []}),
            STATUS: as_json({"wa@lab": True, "wb@lab": False}),
            METRICS: recorded("2.2.0", "s20-sigkill/metrics_after_sigkill"),
        }
        voices = look(pages).voices

        assert {name: voice.online for name, voice in voices.items()} == {"wa@lab": True, "wb@lab": False}

    def test_worker_only_in_metrics_has_no_voice(self) -> None:
        """Producers and the long dead stand in the metrics page; only listed workers speak."""
        pages = {**BUSY["2.2.0"], METRICS: recorded("2.2.0", "s60-metrics-sizing/metrics")}

        assert set(look(pages).voices) == {"w1@lab"}

    def test_counters_are_summed_over_tasks(self) -> None:
        """Started and finished are sums over task names; a failed run has finished too."""
        pages = {QUEUES: as_json({"active_queues": []}), STATUS: as_json({"m@lab": True})}
        voice = look({**pages, METRICS: recorded("2.2.0", "s60-metrics-sizing/metrics")}).voices["m@lab"]

        assert (voice.started, voice.finished, voice.reserved, voice.running) == (15, 15, 0, 0)

    @pytest.mark.parametrize("page", ["s24-enable-events-false/metrics", "s20-sigkill/metrics_after_sigkill"])
    def test_missing_series_are_unknown(self, page: str) -> None:
        """Without task events nobody counts prefetched tasks: the number is missing, not zero."""
        pages = {QUEUES: as_json({"active_queues": []}), STATUS: as_json({"wf@lab": True, "wa@lab": True})}
        voices = look({**pages, METRICS: recorded("2.2.0", page)}).voices.values()

        assert {voice.reserved for voice in voices} == {None}
        assert {voice.started for voice in voices} == {None}

    def test_worker_without_heartbeat_stays_unheard(self) -> None:
        """A worker without heartbeat is in no list of Flower's, so that there is no voice to believe."""
        pages = {**BUSY["2.2.0"], STATUS: recorded("2.2.0", "s23-without-heartbeat/workers_status"), WORKERS: as_json({"data": []})}

        assert set(look(pages).voices) == {"wd@lab"}

    def test_purged_worker_stays_offline(self) -> None:
        """A worker purged from the page still stands in the status as offline."""
        pages = situation(
            "2.2.0",
            queues="s01-zero-workers/queues_length",
            status="s22-purge-offline/workers_status",
            workers="s22-purge-offline/root_json",
        )

        assert look(pages).voices["wd@lab"] == Voice("wd@lab", online=False)

    def test_closed_api_leaves_the_page(self) -> None:
        """The workers page may be open while the API is closed; the workers are seen, the depths have the reason."""
        pages = {
            **BUSY["2.2.0"],
            **situation("2.2.0", queues="s10-auth-no-env-no-basic/queues_length", status="s10-auth-no-env-no-basic/workers_status"),
        }
        sight = look(pages)

        assert (sight.voices["w1@lab"].online, sight.voices["w1@lab"].running) == (True, 2)
        assert sight.gaps == {"celery": API_CLOSED}
        assert sight.notes == (API_CLOSED,)
        assert not sight.whole

    @pytest.mark.parametrize("value", [True, -1, 1e18, None, "2", 2.5], ids=repr)
    def test_unbelievable_running_is_refused(self, value: object) -> None:
        """A nonsense number of running tasks is none, and the gauge beside it is used."""
        pages = {**BUSY["2.2.0"], WORKERS: as_json({"data": [{"hostname": "w1@lab", "active": value, "status": True}]})}

        assert look(pages).voices["w1@lab"].running == 2

    def test_odd_entries_spoil_only_themselves(self) -> None:
        """Entries of the wrong shape are passed over, with the right ones kept."""
        odd = [None, 3, {"hostname": 7}, {"hostname": "x@lab", "status": 1, "heartbeats": "soon", "freq": "2", "active": 1}]
        sight = look(
            {QUEUES: as_json({"active_queues": []}), STATUS: as_json({"y@lab": "yes", "z@lab": True}), WORKERS: as_json({"data": odd})}
        )

        assert sight.voices == {"x@lab": Voice("x@lab", running=1), "z@lab": Voice("z@lab", online=True)}
        assert "'y@lab'" in " ".join(sight.notes)


def beating(at: float | None, **more: object) -> dict[str, Page]:
    """The workers page with one worker whose newest heartbeat came then, by Flower's clock."""
    beats = [] if at is None else [at - 4, at, at - 2]
    return {WORKERS: as_json({"data": [{"hostname": "w1@lab", "status": True, "active": 0, "freq": 2.0, "heartbeats": beats, **more}]})}


class TestHeartbeats:
    def heard(self, *changes: Mapping[str, Page], first: Mapping[str, Page] | None = None) -> list[float | None]:
        """When the worker counts as heard, look after look."""
        with neighbour({**BUSY["2.2.0"], **(first or beating(7.0))}) as there:
            return [sight.voices["w1@lab"].heard_at for sight in looks(there, *changes)]

    def test_first_look_has_heard_nobody(self) -> None:
        """Flower's clock is not ours, so that a single time stamp says nothing."""
        assert self.heard() == [None]

    def test_movement_is_hearing(self) -> None:
        """A newest heartbeat that changed was heard at this look, by our clock, and stays so until the next."""
        assert self.heard(beating(9.0), {}, {}, beating(15.0)) == [None, NOW + 2, NOW + 2, NOW + 2, NOW + 8]

    def test_frozen_heartbeat_is_not_heard(self) -> None:
        """A worker that has not moved since our start is not heard, whatever its status says."""
        assert self.heard({}, {}, {}) == [None, None, None, None]

    def test_a_heartbeat_that_stands_still_is_silence(self) -> None:
        """After ten seconds without movement the worker was at best heard when we began to look: Flower repeats old answers."""
        assert self.heard(*[{}] * 7) == [None] * 6 + [NOW, NOW]

    @pytest.mark.parametrize("skew", [-86400.0, 0.0, 86400.0])
    def test_skewed_clock_changes_nothing(self, skew: float) -> None:
        """Flower's clock may be a day off: only differences within it are used."""
        at = NOW + 1e6 + skew
        assert self.heard(beating(at + 2), first=beating(at)) == [None, NOW + 2]

    def test_clock_set_back_still_moves(self) -> None:
        """When Flower's clock is set back its heartbeats still count."""
        assert self.heard(beating(3.0)) == [None, NOW + 2]

    def test_new_worker_is_heard_at_once(self) -> None:
        """Flower lists a worker because of an event, so one that appears between two looks was heard between them."""
        assert self.heard(beating(1.0), first={WORKERS: as_json({"data": []})})[1] == NOW + 2

    def test_newest_is_the_greatest(self) -> None:
        """Heartbeats may stand in any order; the newest is what moves."""
        first, then = beating(None, heartbeats=[1.0, 5.0]), beating(None, heartbeats=[9.0, 5.0])

        assert self.heard(then, first=first) == [None, NOW + 2]

    def test_missing_heartbeats_are_never_heard(self) -> None:
        """A worker listed without any heartbeat has no time."""
        assert self.heard(beating(None), first=beating(None)) == [None, None]

    def test_lost_page_forgets(self) -> None:
        """While the page is away no heartbeat is known, and the look after begins anew."""
        gone: dict[str, Page] = {WORKERS: Reply(500, "text/html")}
        assert self.heard(beating(9.0), gone, beating(11.0), beating(13.0)) == [None, NOW + 2, None, None, NOW + 8]

    def test_memory_is_bounded_by_the_list(self) -> None:
        """Names are never reused, so those that Flower drops are forgotten."""
        pages = {**BUSY["2.2.0"], **beating(1.0)}

        async def many() -> int:
            source = FlowerSource(FlowerSettings(url=there.url))
            for turn in range(20):
                there.pages.update(beating(float(turn + 1), hostname=f"w{turn}@lab"))
                await source.look(Wanted(NOW + turn, ("celery",)))
            await source.close()
            return len(source._pulses or {})

        with neighbour(pages) as there:
            assert asyncio.run(many()) == 1


class TestRefusals:
    @pytest.mark.parametrize(
        ("release", "page"), [("2.2.0", "s10-auth-no-env-no-basic/workers_status"), ("2.0.1", "noauth_workers")], ids=["2.2.0", "2.0.1"]
    )
    def test_closed_api_names_both_keys(self, release: str, page: str) -> None:
        """Flower's default is a closed API; the text says which of two things to do."""
        pages: dict[str, Page] = {path: recorded(release, page) for path in (QUEUES, STATUS)}
        error = refusal(
            {**pages, **situation("2.2.0", workers="s10-auth-no-env-no-basic/root_json", metrics="s10-auth-no-env-no-basic/metrics")}
        )

        assert isinstance(error, AnswerUnusable)
        assert str(error) == API_CLOSED

    def test_missing_credentials_are_asked_for(self) -> None:
        """Flower with --basic-auth answers 401 with an empty body."""
        pages = situation(
            "2.2.0",
            queues="s11-auth-basic/nocreds_queues_length",
            status="s11-auth-basic/nocreds_workers_status",
            metrics="s11-auth-basic/metrics_nocreds",
        )

        assert "asks for credentials (401): give username" in str(
            refusal({**pages, WORKERS: recorded("2.2.0", "s11-auth-basic/nocreds_root_json")})
        )

    def test_wrong_credentials_are_named_wrong(self) -> None:
        """The same answer means something else when credentials were given, and they are not repeated."""
        pages = situation(
            "2.2.0",
            queues="s11-auth-basic/badcreds_queues_length",
            status="s11-auth-basic/badcreds_workers_status",
            workers="s11-auth-basic/badcreds_root_json",
        )
        text = str(refusal(pages, username="admin", password=SecretStr("hunter2")))

        assert "does not accept the credentials" in text
        assert "hunter2" not in text

    def test_prefix_is_hinted_at(self) -> None:
        """404 on Flower's own paths mostly means a url_prefix."""
        text = str(refusal(recorded("2.2.0", "s12-url-prefix/get_api_workers")))

        assert "--url-prefix" in text
        assert "/api/workers (404)" in text

    def test_prefix_in_the_path_works(self) -> None:
        """With the prefix in flower.url, slash at its end or not, all pages are found."""
        pages = {f"/flower{path}": page for path, page in BUSY["2.2.0"].items()}
        with neighbour({**pages, f"/flower{QUEUES}": recorded("2.2.0", "s12-url-prefix/get_flower_api_queues_length")}) as there:
            for url in (f"{there.url}/flower", f"{there.url}/flower/"):
                assert looks(there, url=url)[0].whole

    @pytest.mark.parametrize(
        ("page", "words"),
        [
            pytest.param(Reply(200, "text/html; charset=UTF-8", b"<html>Sign in</html>"), "a login page", id="login page with 200"),
            pytest.param(Reply(200, "application/json", b"\x00\xff garbage"), "no JSON", id="garbage"),
            pytest.param(Reply(200, "application/json", b""), "no JSON", id="empty body"),
            pytest.param(Reply(200, "application/json", b"[" * 200_000), "no JSON", id="deeply nested"),
            pytest.param(as_json([1, 2]), "another shape", id="a list"),
            pytest.param(Reply(502, "text/html", b"<html>Bad Gateway"), "answers 502", id="bad gateway"),
            pytest.param(REDIRECT, "login.example", id="redirect"),
        ],
    )
    def test_strange_answers_are_words(self, page: Page, words: str) -> None:
        """Whatever stands at the address, the error says what was found there."""
        error = refusal(page)

        assert isinstance(error, AnswerUnusable)
        assert words in str(error)

    def test_empty_object_everywhere_shows_nothing(self) -> None:
        """`{}` is no list of queues and a list of no workers: nothing is known, nothing is zero."""
        sight = look(as_json({}))

        assert (sight.queues, sight.voices, sight.whole) == ({}, {}, False)
        assert "is this Flower?" in sight.gaps["celery"]

    def test_closed_port_is_unreachable(self) -> None:
        """A Flower that is down is told once, by its address."""
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            error = refusal({}, url=f"http://127.0.0.1:{deaf.getsockname()[1]}")

        assert isinstance(error, SourceUnreachable)
        assert "connection refused" in str(error)

    def test_a_flower_that_is_down_is_down_also_where_only_its_workers_are_asked_for(self) -> None:
        """With a budget the lengths of queues are left to the broker: no page came, so nobody may take it for a Flower without workers."""
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            error = refusal({}, depths=False, url=f"http://127.0.0.1:{deaf.getsockname()[1]}")

        assert isinstance(error, SourceUnreachable)

    def test_a_closed_api_is_no_trouble_where_another_page_tells_of_workers(self) -> None:
        """Also while there is none of them."""
        pages = {WORKERS: as_json({"data": []}), STATUS: Reply(401, "text/plain", b"FLOWER_UNAUTHENTICATED_API")}

        assert {} == look(pages, depths=False).voices

    def test_pause_asked_for_is_kept(self) -> None:
        """A proxy that asks to be left alone is left alone, for five minutes at most."""
        busy = Reply(503, "text/plain", b"", {"Retry-After": "86400"})

        async def three() -> int:
            source = FlowerSource(FlowerSettings(url=there.url))
            for now in (NOW, NOW + 299, NOW + 301):
                with pytest.raises(AnswerUnusable):
                    await source.look(Wanted(now, ()))
            await source.close()
            return len(there.requests)

        with neighbour(busy) as there:
            assert asyncio.run(three()) == 8


class TestCredentials:
    @pytest.mark.parametrize(
        ("settings", "header"),
        [
            ({"username": "admin", "password": "pä:ss"}, "Basic " + base64.b64encode("admin:pä:ss".encode()).decode()),
            ({"token": "abc.def"}, "Bearer abc.def"),
        ],
        ids=["basic", "bearer"],
    )
    def test_every_page_is_asked_with_them(self, settings: dict[str, str], header: str) -> None:
        """User and password, or a token, go with every request."""
        with neighbour(BUSY["2.2.0"]) as there:
            looks(there, **settings)

            assert len(there.heads) == 4
            assert all(f"authorization: {header}".lower() in head.lower() for head in there.heads)


class TestDeadline:
    def test_one_deadline_for_all_pages(self) -> None:
        """Four pages that hang or drip cost one timeout together."""
        began = time.monotonic()
        error = refusal({QUEUES: silent, STATUS: dripping, WORKERS: silent, METRICS: dripping}, timeout="400ms")

        assert isinstance(error, SourceUnreachable)
        assert time.monotonic() - began < 1.5

    def test_one_hanging_page_hides_nothing(self) -> None:
        """The other pages are used when one does not answer in time."""
        sight = look({**BUSY["2.2.0"], QUEUES: silent}, timeout="300ms")

        assert sight.voices["w1@lab"].online is True
        assert "did not answer in full" in sight.gaps["celery"]


class TestMetricsPage:
    def test_large_page_is_read_quickly(self) -> None:
        """Two megabytes of other series cost next to nothing, since only the few lines needed are parsed."""
        other = "".join(f'flower_task_runtime_seconds_bucket{{le="{n}.0",task="t{n}",worker="w{n}@lab"}} {n}.0\n' for n in range(30_000))
        page = recorded("2.2.0", "s04-one-worker-busy/metrics")
        with neighbour({**BUSY["2.2.0"], METRICS: Reply(200, "text/plain", other.encode() + page.body)}) as there:
            assert len(other) > 2_000_000
            began = time.process_time()
            sight = looks(there)[0]

        assert sight.voices["w1@lab"].reserved == 8
        assert time.process_time() - began < 1.0

    @pytest.mark.parametrize("value", ["NaN", "-1.0", "+Inf", "1e18", "0.5"])
    def test_unbelievable_series_spoil_the_sum(self, value: str) -> None:
        """One unbelievable series leaves the worker's sum unknown."""
        text = "".join(f'flower_worker_prefetched_tasks{{task="{t}",worker="w1@lab"}} {n}\n' for t, n in (("a", value), ("b", 3.0)))

        assert look({**BUSY["2.2.0"], METRICS: Reply(200, "text/plain", text.encode())}).voices["w1@lab"].reserved is None

    @pytest.mark.parametrize("rest", ['task="a', "worker=} x", "\xff} 1"])
    def test_unreadable_lines_are_a_note(self, rest: str) -> None:
        """A metrics page that cannot be read takes its numbers with it and nothing else."""
        line = f"flower_worker_prefetched_tasks{{{rest}".encode("latin-1")
        sight = look({**BUSY["2.2.0"], METRICS: Reply(200, "text/plain", line)})

        assert sight.voices["w1@lab"] == Voice("w1@lab", online=True, running=2, heard_every=2.0)
        assert "metrics page cannot be read" in sight.notes[0]

    def test_hostile_labels_are_only_text(self) -> None:
        """Escaped quotes and line ends in a task's name do not break the page apart."""
        text = 'flower_worker_prefetched_tasks{task="a\\"} 9\\n{",worker="w1@lab"} 2.0\n'

        assert look({**BUSY["2.2.0"], METRICS: Reply(200, "text/plain", text.encode())}).voices["w1@lab"].reserved == 2
