"""Tasks that wait for their time, in a real Redis that real Celery fills, and as `merge` tells of them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

import pytest
import redis

from autoscaler.config.models import BrokerSettings
from autoscaler.model import Known
from autoscaler.sources.broker import BrokerSource
from autoscaler.sources.broker_due import due_at
from autoscaler.sources.broker_redis import BYTES_OF_ONE, PEEKED_AT
from autoscaler.sources.merge import Answer, merge
from autoscaler.sources.sight import Sight, Wanted

Send = Callable[..., None]


def look(url: str) -> tuple[Sight, int]:
    """One look at the queue, and how many commands it took."""

    async def once() -> tuple[Sight, int]:
        source = BrokerSource(BrokerSettings.model_validate({"name": "primary", "url": url}))
        try:
            return await source.look(Wanted(now=1000.0, queues=("celery",))), source.commands_sent
        finally:
            await source.close()

    return asyncio.run(once())


@pytest.fixture
def send(redis_url: str) -> Send:
    """Publish a task as Celery does."""
    from celery import Celery

    def send_task(**options: object) -> None:
        app = Celery(broker=redis_url)
        app.send_task("workapp.quick", **options)
        app.close()

    return send_task


@pytest.mark.real
class TestPeek:
    """What one look finds out."""

    def test_eta_and_countdown(self, redis_url: str, send: Send) -> None:
        """Both carry their moment; the soonest comes first."""
        begun = time.time()
        send(countdown=7200)
        send(countdown=3600, priority=3)
        sight, _ = look(redis_url)

        assert sight.queues == {"celery": 2}
        assert [round((at - begun) / 60) for at in sight.due["celery"]] == [60, 120]

    def test_work_that_is_due_ends_the_peek(self, redis_url: str, send: Send) -> None:
        """Where the next task is due the others are not read: one command more than without the peek."""
        send()
        send(countdown=3600)
        sight, commands = look(redis_url)

        assert sight.due == {}
        assert commands == 1 + 2 + 1 + 1  # EXISTS, HLEN and LLEN, EXISTS of the other priorities, LINDEX

    def test_a_long_queue_is_not_looked_into(self, redis_url: str, send: Send) -> None:
        """So many tasks are work, whatever the times of some of them."""
        message = json.dumps({"headers": {"eta": "2099-01-01T00:00:00+00:00"}})
        with redis.Redis.from_url(redis_url) as client:
            client.lpush("celery", *[message] * (PEEKED_AT + 1))

        assert look(redis_url)[0].due == {}

    def test_a_huge_task_is_not_followed(self, redis_url: str) -> None:
        """A task as large as a file counts as due, and what lies behind it is not read."""
        message = json.dumps({"headers": {"eta": "2099-01-01T00:00:00+00:00"}, "body": "x" * BYTES_OF_ONE})
        with redis.Redis.from_url(redis_url) as client:
            client.lpush("celery", message)

        assert look(redis_url)[0].due == {}


@pytest.mark.parametrize(
    ("message", "moment"),
    [
        pytest.param(b'{"headers": {"eta": "2026-11-21T10:00:00+02:00"}}', 1795248000.0, id="another zone"),
        pytest.param(b'{"headers": {"eta": "2026-11-21T08:00:00Z"}}', 1795248000.0, id="Z"),
        pytest.param(b'{"headers": {"eta": "2026-11-21T08:00:00"}}', None, id="no zone"),
        pytest.param(b'{"headers": {"eta": 1795248000}}', None, id="a number"),
        pytest.param(b'{"headers": {}}', None, id="none"),
        pytest.param(b'{"body": "W10="}', None, id="of the old protocol"),
        pytest.param(b"[" * 100_000, None, id="nested without end"),
        pytest.param(b"\xff", None, id="rubbish"),
    ],
)
def test_what_cannot_be_read_is_due(message: bytes, moment: float | None) -> None:
    """Doubt never leaves a task lying."""
    assert due_at(message) == moment


@pytest.mark.parametrize(
    ("flower", "broker", "error", "expected"),
    [
        pytest.param(3, Sight(queues={"q": 3}, due={"q": (2000.0, 3000.0, 900.0)}), "", (1, (2000.0, 3000.0)), id="two later, one due"),
        pytest.param(4, Sight(queues={"q": 3}, due={"q": (2000.0,)}), "", (3, (2000.0,)), id="Flower saw one more"),
        pytest.param(0, Sight(queues={"q": 0}, due={"q": (2000.0,)}), "", (0, (2000.0,)), id="gone in between"),
        pytest.param(2, Sight(queues={"q": 2}), "", (2, ()), id="not looked into"),
        pytest.param(2, Sight(queues={"q": 2}, due={"q": (2000.0, 2000.0)}), "it did not answer", (2, ()), id="an old answer"),
    ],
)
def test_later_tasks_are_no_backlog(flower: int, broker: Sight, error: str, expected: tuple[int, tuple[float, ...]]) -> None:
    """Whoever counted them: what waits for its time is taken off, and told beside it; an answer that is not believed takes nothing off."""
    answers = {
        "flower": Answer("flower", 1000.0, Sight(queues={"q": flower})),
        "broker:primary": Answer("broker:primary", 1000.0, broker, error),
    }
    queues, _ = merge(("q",), answers, depth_from="auto", now=1000.0, max_age_seconds=60.0)

    assert isinstance(queues["q"].waiting, Known)
    assert expected == (queues["q"].waiting.value, queues["q"].later)
