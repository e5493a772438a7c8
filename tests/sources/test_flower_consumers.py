"""Which queues others' workers consume: asked rarely, known where Flower knows it."""

from __future__ import annotations

import asyncio

import pytest
from neighbours import Page, Reply, neighbour, recorded

from autoscaler.config.models import FlowerSettings
from autoscaler.errors import AnswerUnusable
from autoscaler.model import Container, ContainerState
from autoscaler.sources.fetch import Answer
from autoscaler.sources.flower import CONSUMERS, METRICS, QUEUES, STATUS, WORKERS, FlowerSource
from autoscaler.sources.flower_consumers import Consumer, consumers
from autoscaler.sources.sight import Sight, Wanted

INSPECTED = recorded("2.2.0", "s03-one-worker/workers_after_refresh")
PAGES: dict[str, Page] = {
    QUEUES: recorded("2.2.0", "s04-one-worker-busy/queues_length"),
    STATUS: recorded("2.2.0", "s03-one-worker/workers_status"),
    WORKERS: recorded("2.2.0", "s04-one-worker-busy/root_json"),
    METRICS: recorded("2.2.0", "s04-one-worker-busy/metrics"),
    CONSUMERS: INSPECTED,
}
OURS = Container("1", "lab", "p", ContainerState.RUNNING, 0.0, "s")


def looks(times: list[float], containers: tuple[Container, ...] = (), **changes: Page) -> tuple[list[Sight], int]:
    """Looks at these times by one source, and how often it asked for the large page."""
    with neighbour({**PAGES, **changes}) as there:

        async def all_of_them() -> list[Sight]:
            source = FlowerSource(FlowerSettings(url=there.url))
            try:
                return [await source.look(Wanted(now, ("celery",), containers)) for now in times]
            finally:
                await source.close()

        return asyncio.run(all_of_them()), there.requests.count(CONSUMERS)


def test_a_stranger_is_asked_after_once() -> None:
    """The look that meets it does not know; the next one asks, and then nobody asks for five minutes."""
    sights, asked = looks([0.0, 2.0, 4.0, 60.0, 290.0])

    assert [s.voices["w1@lab"].queues for s in sights] == [None, *[("celery",)] * 4]
    assert sights[1].voices["w1@lab"].slots == 2
    assert asked == 1
    assert looks([0.0, 2.0, 303.0])[1] == 2


def test_what_flower_never_inspected_stays_unknown() -> None:
    """A worker that came after Flower's start is asked after twice a minute, and belongs to no queue."""
    sights, asked = looks([0.0, 2.0, 4.0, 20.0, 33.0], **{CONSUMERS: recorded("2.2.0", "s03-one-worker/workers_no_refresh")})

    assert {s.voices["w1@lab"].queues for s in sights} == {None}
    assert asked == 2


def test_our_own_are_not_asked_after() -> None:
    """What our workers consume stands in the configuration."""
    name = Container("1", "lab", "p", ContainerState.RUNNING, 0.0, "s")
    status = Reply(200, "application/json", b'{"celery@lab": true}')

    assert looks([0.0, 2.0, 40.0], (name,), **{STATUS: status, WORKERS: Reply(200, "application/json", b'{"data": []}')})[1] == 0


def test_trouble_with_it_costs_nothing_else() -> None:
    """The large page may be refused: depths and voices are as without it."""
    sights, _ = looks([0.0, 2.0], **{CONSUMERS: Reply(500, "text/plain", b"")})

    assert sights[1].voices.keys() == sights[0].voices.keys()
    assert (sights[1].queues, sights[1].notes, sights[1].whole) == (sights[0].queues, (), True)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        pytest.param(b'{"a": {"active_queues": [{"name": "q"}, {"name": 3}, 4], "stats": {"pool": {"max-concurrency": 8}}}}',
                     {"a": Consumer(("q",), 8)}, id="odd entries are left out"),
        pytest.param(b'{"a": {"active_queues": [], "stats": null}}', {"a": Consumer((), None)}, id="consumes nothing"),
        pytest.param(b'{"a": {"active_queues": null}, "b": {}, "c": 1}', {}, id="not inspected"),
    ],
)  # fmt: skip
def test_the_page_is_read_with_care(body: bytes, found: dict[str, Consumer]) -> None:
    """Nothing that is missing becomes a number."""
    assert consumers(Answer(200, "application/json", body)).entries == found


def test_both_versions_say_it_alike() -> None:
    """Recorded from the old Flower, too."""
    old = recorded("2.0.1", "workers_after_gone")
    assert isinstance(old, Reply)

    assert consumers(Answer(200, old.content_type, old.body)).entries["ow@lab"] == Consumer(("celery", "video"), 2)


def test_another_program_is_refused() -> None:
    """A login page with status 200 is no list of workers."""
    with pytest.raises(AnswerUnusable):
        consumers(Answer(200, "text/html", b"<html>"))
