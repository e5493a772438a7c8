"""Brokers that are not Redis, through kombu's own transports."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from kombu import Connection
from kombu.transport.memory import Channel

from autoscaler.config.models import BrokerSettings
from autoscaler.errors import SourceUnreachable
from autoscaler.sources.broker import BrokerSource
from autoscaler.sources.sight import Sight, Wanted

WANTED = Wanted(now=1000.0, queues=("celery", "video"))


@asynccontextmanager
async def a_source(url: str) -> AsyncIterator[BrokerSource]:
    """A source that is closed at the end."""
    source = BrokerSource(BrokerSettings.model_validate({"name": "other", "url": url, "timeout": "300ms"}))
    try:
        yield source
    finally:
        await source.close()


@pytest.fixture
def memory() -> Iterator[Connection]:
    """kombu's broker in memory, which all tests share: empty, and empty again afterwards."""
    Channel.queues.clear()
    with Connection("memory://") as connection:
        yield connection
    Channel.queues.clear()


def test_counts_messages_and_no_others(memory: Connection) -> None:
    """Ready messages are counted, a queue that does not exist is empty, and of unacknowledged ones nothing is said."""
    queue = memory.SimpleQueue("video")
    for n in range(3):
        queue.put(n)
    queue.close()

    async def look() -> Sight:
        async with a_source("memory://") as source:
            return await source.look(WANTED)

    sight = asyncio.run(look())

    assert sight.queues == {"celery": 0, "video": 3}
    assert sight.unacked is None


def test_a_hanging_look_keeps_one_thread(memory: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a call into kombu hangs, further looks say so and start no further thread."""
    gate = threading.Event()
    memory.default_channel.queue_declare("celery")
    monkeypatch.setattr(Channel, "_size", lambda *_: gate.wait(10))

    async def looks() -> tuple[list[str], int]:
        async with a_source("memory://") as source:
            said = []
            for _ in range(3):
                with pytest.raises(SourceUnreachable) as caught:
                    await source.look(WANTED)
                said.append(str(caught.value))
            return said, sum(thread.name == "kombu" for thread in threading.enumerate())

    try:
        said, threads = asyncio.run(looks())
    finally:
        gate.set()

    assert said == ["broker other did not answer within 0.3 s", *["broker other still has not answered an earlier question"] * 2]
    assert threads == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("confluentkafka://127.0.0.1", "no transport for this url, or a library", id="library missing"),
        pytest.param("sentinel://127.0.0.1:26379", "give the address of the primary", id="sentinel"),
    ],
)
def test_an_unusable_kind_is_told(url: str, words: str) -> None:
    """A broker that cannot be asked says why and what to write."""

    async def look() -> None:
        async with a_source(url) as source:
            await source.look(WANTED)

    with pytest.raises(SourceUnreachable, match=words):
        asyncio.run(look())
