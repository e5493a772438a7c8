"""The demo's tasks on a real Redis: what was sent waits in its queue, and results are read for what they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from celery import Celery

from autoscaler.demo.burst import Burst, sender


@pytest.fixture
def sending(redis_url: str) -> Iterator[Celery]:
    """The sender's app on a real, empty Redis."""
    app = sender(redis_url)
    yield app
    app.backend.client.close()
    app.close()


def test_tasks_wait_in_the_pools_queue(sending: Celery, redis_url: str) -> None:
    """Every task of the burst is a message in the queue that has the pool's name."""
    burst = Burst(sending, "mail", 20, 1.0)
    assert not burst.is_sent

    burst.send()

    with redis.Redis.from_url(redis_url) as client:
        assert client.llen("mail") == 20
    assert (burst.is_sent, len(set(burst.sent)), burst.done) == (True, 20, 0)


def test_results_are_read_for_what_they_are(sending: Celery) -> None:
    """Finished tasks count with their wait, begun and failed ones are begun, the others still wait."""
    burst = Burst(sending, "mail", 5, 1.0)
    burst.send()
    store = sending.backend.store_result
    store(burst.sent[0], {"sent_at": 10.0, "started_at": 12.5}, "SUCCESS")
    store(burst.sent[1], {"sent_at": 10.0, "started_at": 11.0}, "SUCCESS")
    store(burst.sent[2], None, "STARTED")
    store(burst.sent[3], ValueError("broken"), "FAILURE")

    burst.look()

    assert burst.waits == {burst.sent[0]: 2.5, burst.sent[1]: 1.0}
    assert (burst.done, burst.begun, burst.first_start) == (2, {burst.sent[2], burst.sent[3]}, 11.0)


def test_a_begun_task_may_still_end(sending: Celery) -> None:
    """What was begun at one look is done at the next, once its result is there."""
    burst = Burst(sending, "mail", 1, 1.0)
    burst.send()
    sending.backend.store_result(burst.sent[0], None, "STARTED")
    burst.look()
    sending.backend.store_result(burst.sent[0], {"sent_at": 1.0, "started_at": 1.5}, "SUCCESS")

    burst.look()

    assert (burst.done, burst.begun) == (1, set())
