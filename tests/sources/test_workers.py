"""The workers' pages as a source: believed page by page, and never a look spoiled by one of them."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from live import Workers, free_port, until
from neighbours import Talk, a_server

from autoscaler.model import Container, ContainerState
from autoscaler.sources import workers as pages
from autoscaler.sources.sight import Sight, Voice, Wanted
from autoscaler.sources.workers import WorkerPages

NUMBERS = {
    "ready": 1,
    "draining": 0,
    "running_tasks": 2,
    "reserved_tasks": 3,
    "scheduled_tasks": 1,
    "tasks_started_total": 9,
    "tasks_finished_total": 7,
    "slots": 4,
}


def a_container(name: str, metrics: str | None) -> Container:
    """A running container of this name."""
    return Container(name, name, "pool", ContainerState.RUNNING, created_at=0.0, spec="s", metrics=metrics)


def a_page(name: str = "celery@w1", **changed: object) -> str:
    """A page of this worker; a number given as None is left out."""
    numbers = {key: value for key, value in (NUMBERS | changed).items() if value is not None}
    lines = [f'autoscaler_worker_info{{worker="{name}"}} 1.0', 'autoscaler_worker_consuming{queue="video"} 1.0', "other_metric 5"]
    return "\n".join(["# HELP autoscaler_worker_info Name.", *lines, *(f"autoscaler_worker_{k} {v}" for k, v in numbers.items()), ""])


def serves(text: str, status: int = 200) -> Talk:
    """Answer every request with this page."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline() not in (b"\r\n", b""):
            pass
        body = text.encode()
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)) + body)
        await writer.drain()

    return talk


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, and say nothing for longer than any deadline."""
    await asyncio.sleep(5)


@asynccontextmanager
async def a_host(talk: Talk) -> AsyncIterator[str]:
    """`host:port` of a server that treats every connection like this."""
    async with a_server(talk) as port:
        yield f"127.0.0.1:{port}"


@asynccontextmanager
async def a_source(timeout_seconds: float = 5.0) -> AsyncIterator[WorkerPages]:
    """A source that is closed at the end."""
    source = WorkerPages(timeout_seconds)
    try:
        yield source
    finally:
        await source.close()


def look(talk: Talk, timeout_seconds: float = 5.0) -> Sight:
    """One look at one container, w1, whose page behaves like this."""

    async def once() -> Sight:
        async with a_host(talk) as place, a_source(timeout_seconds) as source:
            return await source.look(Wanted(now=1000.0, queues=("video",), containers=(a_container("w1", place),)))

    return asyncio.run(once())


def test_a_page_becomes_a_voice() -> None:
    """Every number of the page is told, with the time of the look."""
    assert look(serves(a_page())) == Sight(
        voices={"celery@w1": Voice("celery@w1", True, 2, 3, 1, False, 4, 9, 7, heard_at=1000.0)}
    )


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"ready": 0, "slots": None}, {"online": False, "slots": None}, id="still starting"),
        pytest.param({"draining": 1}, {"online": True, "draining": True}, id="on its way out"),
        pytest.param({"running_tasks": "2.0"}, {"running": 2}, id="written as a float"),
    ],
)
def test_tells_the_phase_of_a_worker(changed: dict[str, object], expected: dict[str, object]) -> None:
    """A worker that does not consume yet is not online, and one that leaves says so."""
    heard = look(serves(a_page(**changed))).voices["celery@w1"]
    assert {key: getattr(heard, key) for key in expected} == expected


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        pytest.param(serves(a_page("celery@w2")), "speaks for celery@w2 and not for celery@w1", id="another worker's"),
        pytest.param(serves("other_metric 5\n"), "speaks for nobody", id="another program's"),
        pytest.param(serves("autoscaler_worker_ready{a=\"b\"} one\n"), "not in the text format", id="broken"),
        pytest.param(serves(a_page(running_tasks=None)), "no usable number for autoscaler_worker_running_tasks", id="a number missing"),
        pytest.param(serves(a_page(reserved_tasks=-1)), "no usable number", id="a negative number"),
        pytest.param(serves(a_page(running_tasks="NaN")), "no usable number", id="not a number"),
        pytest.param(serves(a_page(running_tasks="+Inf")), "no usable number", id="infinite"),
        pytest.param(serves(a_page(running_tasks=0.5)), "no usable number", id="half a task"),
        pytest.param(serves(a_page(), status=404), "status 404", id="no page there"),
        pytest.param(serves(a_page() + "x" * pages.PAGE_BYTES), "more than", id="too large"),
    ],
)
def test_a_bad_page_is_no_voice(talk: Talk, words: str) -> None:
    """What cannot be believed is left out whole, and a note says of which container and why."""
    sight = look(talk)

    assert sight.voices == {}
    assert len(sight.notes) == 1
    assert sight.notes[0].startswith("w1: ")
    assert words in sight.notes[0]


def test_a_silent_page_costs_its_deadline() -> None:
    """A worker that accepts and says nothing is noted after the timeout."""
    (note,) = look(silence, timeout_seconds=0.2).notes

    assert note.startswith("w1: ")
    assert note.endswith("did not answer in full within 0.2 s")


def test_an_address_that_is_gone_holds_nobody_up() -> None:
    """A worker that has just left does not even refuse the connection: that is known long before a page's deadline."""

    async def once() -> tuple[Sight, float]:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as gone, socket.create_connection(gone.getsockname()):
            place = f"127.0.0.1:{gone.getsockname()[1]}"  # its queue is full now, so the kernel drops what comes
            async with a_source() as source, a_host(serves(a_page("celery@w2"))) as alive:
                began = time.monotonic()
                sight = await source.look(Wanted(1000.0, (), (a_container("w1", place), a_container("w2", alive))))
                return sight, time.monotonic() - began

    sight, seconds = asyncio.run(once())

    assert list(sight.voices) == ["celery@w2"]
    assert sight.notes[0].startswith("w1: cannot reach")
    assert "no connection" in sight.notes[0]
    assert seconds < 2.0


def test_one_silent_page_does_not_spoil_the_others() -> None:
    """Pages are asked side by side."""

    async def both() -> tuple[Sight, float]:
        async with a_host(silence) as dumb, a_host(serves(a_page("celery@w2"))) as good, a_source(1.0) as source:
            begun = time.monotonic()
            containers = (a_container("w1", dumb), a_container("w2", good), a_container("w3", f"127.0.0.1:{free_port()}"))
            return await source.look(Wanted(now=1000.0, queues=(), containers=containers)), time.monotonic() - begun

    sight, seconds = asyncio.run(both())

    assert list(sight.voices) == ["celery@w2"]
    assert len(sight.notes) == 2
    assert seconds < 1.9


def test_containers_without_a_page_are_not_asked() -> None:
    """Without pages there is nothing to see and nothing to complain about."""

    async def once() -> Sight:
        async with a_source() as source:
            return await source.look(Wanted(now=1000.0, queues=("video",), containers=(a_container("w1", None),)))

    assert asyncio.run(once()) == Sight()


def test_asks_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """With more pages than one look may ask, those unasked for longest come first, and newcomers before all."""
    monkeypatch.setattr(pages, "PAGES_PER_LOOK", 2)

    async def turns() -> list[list[str]]:
        async with a_host(serves("")) as place, a_source() as source:
            fleet = [a_container(name, place) for name in ("w1", "w2", "w3")]
            asked = [await source.look(Wanted(now=1000.0 + n, queues=(), containers=tuple(fleet))) for n in range(2)]
            fleet = [*fleet[1:], a_container("w4", place)]
            asked.append(await source.look(Wanted(now=1002.0, queues=(), containers=tuple(fleet))))
            return [[note.partition(":")[0] for note in sight.notes] for sight in asked]

    assert asyncio.run(turns()) == [["w1", "w2"], ["w3", "w1"], ["w4", "w2"]]


def test_a_large_fleet_is_told_in_few_notes() -> None:
    """A hundred pages that fail at once do not fill the log."""

    async def once() -> Sight:
        async with a_source() as source:
            place = f"127.0.0.1:{free_port()}"
            fleet = tuple(a_container(f"w{n}", place) for n in range(40))
            return await source.look(Wanted(now=1000.0, queues=(), containers=fleet))

    notes = asyncio.run(once()).notes
    assert len(notes) == pages.NOTES_SHOWN + 1
    assert notes[-1] == "and 35 more pages without an answer"


@pytest.mark.real
def test_hears_a_real_worker(workers: Workers) -> None:
    """The page that `autoscaler.contrib.celery` serves is understood as it is."""
    worker = workers.start("-P", "prefork", "-c", "2")
    container = a_container(worker.name.removeprefix("celery@"), f"127.0.0.1:{worker.port}")

    async def once() -> Sight:
        async with a_source() as source:
            return await source.look(Wanted(now=1000.0, queues=(), containers=(container,)))

    until(lambda: asyncio.run(once()).voices)
    assert asyncio.run(once()) == Sight(
        voices={worker.name: Voice(worker.name, True, 0, 0, 0, False, 2, 0, 0, heard_at=1000.0)}
    )
