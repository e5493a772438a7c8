"""What open pages are told, over a real socket: the whole at first, then what changed, and nobody waits for anybody."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from live import until
from structlog.testing import capture_logs
from telling import NOW, a_decision, a_record, a_replica, a_snapshot, a_step, a_view
from window import House

from autoscaler.report.redact import redactor
from autoscaler.web import server as server_module
from autoscaler.web import stream as stream_module
from autoscaler.web.brief import brief, changes
from autoscaler.web.server import Server

Event = tuple[str, Any]


def of(*waiting: int, at: float = NOW) -> Any:
    """A snapshot of pools p0, p1, ... with so many tasks waiting."""
    pools = (a_decision(f"p{i}", view=a_view(f"p{i}", waiting=n, replicas=(a_replica(f"a-p{i}-1"),))) for i, n in enumerate(waiting))
    return a_snapshot(a_record(*pools, at=at))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often than a person could see."""
    monkeypatch.setattr(stream_module, "LOOK_SECONDS", 0.02)


@pytest.fixture
def house() -> House:
    """Two pools; tasks wait for the first."""
    return House(of(7, 0))


@pytest.fixture
def server(house: House) -> Iterator[Server]:
    """The application on a free port."""
    made = Server(house.app, "127.0.0.1:0", leaving=house.app.state.stream.close)
    made.start()
    yield made
    made.stop()


@contextmanager
def listening(server: Server, **headers: str) -> Iterator[Iterator[Event]]:
    """The events of one connection, as they come."""
    url = f"http://127.0.0.1:{server.port}/api/v1/events"
    with httpx.stream("GET", url, headers=headers, timeout=5, trust_env=False) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer)


def events(answer: httpx.Response) -> Iterator[Event]:
    """(event, data) of each block; the id is put into the data where there is one."""
    block: dict[str, str] = {}
    for line in answer.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            block[name] = value
        elif block:
            told = json.loads(block["data"])
            yield block["event"], told | {"id": block["id"]} if "id" in block else told
            block = {}


def test_the_first_event_is_the_whole_status(server: Server) -> None:
    """Without the lists of workers, which a page asks for where somebody looks at them."""
    with listening(server) as told:
        name, status = next(told)

    assert name == "status"
    assert [(p["pool"], p["backlog"], "workers" in p) for p in status["pools"]] == [("p0", 7, False), ("p1", 0, False)]


def test_then_comes_what_changed(house: House, server: Server) -> None:
    """A pool that looks the same is not told again, though it is older."""
    with listening(server) as told:
        next(told)
        house.snapshot = of(7, 3, at=NOW + 2)
        name, change = next(told)

    assert name == "change"
    assert change["last_tick_at"] == NOW + 2
    assert [(p["pool"], p["backlog"]) for p in change["pools"]] == [("p1", 3)]


def test_other_pools_are_told_whole(house: House, server: Server) -> None:
    """A page that knew two pools and hears of three starts over."""
    with listening(server) as told:
        next(told)
        house.snapshot = of(7, 0, 1)

        assert next(told)[0] == "status"


def test_whoever_comes_back_up_to_date_hears_only_news(house: House, server: Server) -> None:
    """Last-Event-ID of the newest event saves the whole status; any other does not."""
    with listening(server) as first:
        newest = next(first)[1]["id"]
        with listening(server, **{"last-event-id": newest}) as again:
            house.snapshot = of(8, 0)
            assert next(again)[0] == "change"
        with listening(server, **{"last-event-id": "of-another-life-1"}) as stranger:
            assert next(stranger)[0] == "status"


def test_decisions_are_told_once(house: House, server: Server) -> None:
    """Those of before at the beginning, then each new one."""
    house.rows = [{"id": 1, "pool": "p0", "why": "p0 0 -> 2"}]
    with listening(server) as told:
        first = [next(told), next(told)]
        house.rows = [*house.rows, {"id": 2, "pool": "p1", "why": "p1 0 -> 1"}]

        assert [name for name, _ in first] == ["status", "decisions"]
        assert next(told) == ("decisions", [{"id": 2, "pool": "p1", "why": "p1 0 -> 1"}])


def test_a_broken_journal_does_not_end_it(house: House, server: Server) -> None:
    """The status goes on without decisions."""
    house.journal_error = "disk gone"
    with listening(server) as told:
        next(told)
        house.snapshot = of(9, 9)

        assert next(told)[0] == "change"


def test_silence_is_broken(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the loop tells nothing new the connection still lives, and says what time it is."""
    monkeypatch.setattr(stream_module, "HEARTBEAT_SECONDS", 0.1)
    with listening(server) as told:
        next(told)
        name, beat = next(told)

    assert name == "heartbeat"
    assert abs(beat["now"] - time.time()) < 5


def test_there_is_room_for_so_many(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is refused with words, and a place that is left is given again."""
    monkeypatch.setattr(stream_module, "MOST_LISTENERS", 1)
    url = f"http://127.0.0.1:{server.port}/api/v1/events"
    with listening(server) as told:
        next(told)
        refused = httpx.get(url, timeout=5, trust_env=False)
    until(lambda: server_has_room(server))

    assert refused.status_code == 503
    assert "pages are open already" in refused.json()["error"]


def server_has_room(server: Server) -> bool:
    """Whether one more would be taken."""
    with httpx.stream("GET", f"http://127.0.0.1:{server.port}/api/v1/events", timeout=5, trust_env=False) as answer:
        return answer.status_code == 200


def test_a_slow_listener_holds_up_nobody(house: House) -> None:
    """While it takes nothing another is told everything; then it gets the newest, whole, and nothing that lay between."""

    async def story() -> tuple[list[bytes], list[bytes]]:
        stream = house.app.state.stream
        slow, quick = stream.events(""), stream.events("")
        taken, told = [await anext(slow)], [await anext(quick)]
        for waiting in range(8, 13):
            house.snapshot = of(waiting, 0)
            told.append(await anext(quick))
        taken.append(await anext(slow))
        await slow.aclose()
        await quick.aclose()
        return taken, told

    taken, told = asyncio.run(story())

    assert [(kind(event), backlog(event)) for event in told] == [("status", 7), *(("change", n) for n in range(8, 13))]
    assert [(kind(event), backlog(event)) for event in taken] == [("status", 7), ("status", 12)]


def kind(event: bytes) -> str:
    """Its name."""
    return event.split(b"event: ")[1].split(b"\n")[0].decode()


def backlog(event: bytes) -> int:
    """Of the first pool in it."""
    told: int = json.loads(event.split(b"data: ")[1])["pools"][0]["backlog"]
    return told


def test_a_bug_is_told_in_the_log_and_not_to_the_end(house: House, server: Server) -> None:
    """A snapshot that cannot be told costs that one event and one line."""
    with capture_logs() as logged, listening(server) as told:
        next(told)
        house.snapshot = "not a snapshot"
        until(lambda: logged)
        time.sleep(0.1)
        house.snapshot = of(5, 5)

        assert next(told)[1]["pools"][0]["backlog"] == 5
    assert [line["event"] for line in logged] == ["open pages were not told of the last tick"]


def test_whoever_comes_later_hears_nothing_old(house: House, server: Server) -> None:
    """While nobody listened nothing was composed; the first to come back is told how it is now."""
    with listening(server) as told:
        next(told)
    time.sleep(0.2)
    house.snapshot = of(1, 2)
    with listening(server) as told:
        assert [p["backlog"] for p in next(told)[1]["pools"]] == [1, 2]


def test_it_lives_on_a_kept_connection(house: House, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that a client has to read the answer before does not end the stream after it."""
    monkeypatch.setattr(server_module, "STALL_SECONDS", 0.3)
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=5, trust_env=False) as client:
        client.get("/healthz")
        with client.stream("GET", "/api/v1/events") as answer:
            told = events(answer)
            next(told)
            time.sleep(0.6)
            house.snapshot = of(8, 0)

            assert next(told)[0] == "change"


def test_the_server_stops_at_once(house: House, server: Server) -> None:
    """Open pages do not hold the process."""
    with listening(server) as told:
        next(told)
        began = time.perf_counter()
        server.stop()

        assert time.perf_counter() - began < 1.0
        assert list(told) == []


def test_no_secret_is_told(house: House) -> None:
    """Words of a neighbour that hold a configured secret are told without it."""
    redactor.learn(["stream-canary-secret"])
    step = a_step(0, 0, because="cannot reach redis://:u@h with stream-canary-secret")

    assert "canary" not in json.dumps(brief(a_snapshot(a_record(a_decision("p0", step))), NOW))


def test_what_is_told_can_be_put_together() -> None:
    """The whole and the changes after it are the next whole."""
    before, after = brief(of(1, 2, 3), NOW), brief(of(1, 9, 3, at=NOW + 2), NOW + 2)
    change = changes(before, after)
    assert change is not None
    fresh = {pool["pool"]: pool for pool in change["pools"]}
    merged = before | change | {"pools": [fresh.get(pool["pool"], pool) for pool in before["pools"]]}

    for kept in (merged, after):
        for pool in kept["pools"]:
            for queue in pool["queues"]:
                queue.pop("age_seconds", None)
    assert merged == after
