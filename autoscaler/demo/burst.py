"""The tasks of the demo: sends them, and reads from Celery's result backend what became of each.

`play.py` sends; `scene.py` and `report.py` read the tallies.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from autoscaler.demo.app import WORK
from autoscaler.demo.programs import DemoFailed

BEGUN = {"STARTED", "RETRY", "FAILURE", "REVOKED"}
"""States of a task that a worker took up and did not bring to its end."""


def sender(broker_url: str) -> Celery:
    """What a web application would have: the same names, and no worker's code."""
    return Celery("demo", broker=broker_url, backend=broker_url, set_as_current=False)


class Burst:
    """All tasks of one pool, whose queue has the pool's name."""

    def __init__(self, sender: Celery, pool: str, tasks: int, task_seconds: float) -> None:
        self.pool = pool
        self.planned = tasks
        self.sent: list[str] = []
        self.sent_at: float | None = None
        """When the first task was sent, seconds since the epoch."""
        self.waits: dict[str, float] = {}
        """Seconds that each finished task waited between sending and its start, by task id."""
        self.begun: set[str] = set()
        """Tasks that a worker took up and has not brought to an end, at the last look."""
        self.first_start: float | None = None
        self._sender = sender
        self._seconds = task_seconds

    def send(self) -> None:
        """Send all of them, as fast as the broker takes them; raises DemoFailed when it does not."""
        self.sent_at = time.time()
        with _broker_trouble(), self._sender.producer_or_acquire() as producer:
            for _ in range(self.planned):
                arguments = (time.time(), self._seconds)
                task = self._sender.send_task(WORK, args=arguments, queue=self.pool, producer=producer)
                self.sent.append(task.id)

    @property
    def is_sent(self) -> bool:
        """Whether all of them have been sent."""
        return self.sent_at is not None

    @property
    def done(self) -> int:
        """Tasks that came to a good end."""
        return len(self.waits)

    def look(self) -> None:
        """Read the results that were still open at the last look, in one request; raises DemoFailed when they cannot be read."""
        open_ones = [task for task in self.sent if task not in self.waits]
        with _broker_trouble():
            results = _results(self._sender.backend, open_ones)
        self.begun.clear()
        for task, meta in results:
            if meta["status"] == "SUCCESS":
                result = meta["result"]
                self.waits[task] = result["started_at"] - result["sent_at"]
                self.first_start = min(self.first_start or result["started_at"], result["started_at"])
            elif meta["status"] in BEGUN:
                self.begun.add(task)


def _results(backend: Any, tasks: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """What the result backend holds of these tasks; a task that no worker has taken up has no entry."""
    found = backend.mget([backend.get_key_for_task(task) for task in tasks]) if tasks else []
    return [(task, json.loads(text)) for task, text in zip(tasks, found, strict=True) if text]


@contextmanager
def _broker_trouble() -> Iterator[None]:
    """Whatever Celery's layers raise when Redis is away, as one error without the address, which holds a password."""
    try:
        yield
    except (redis.RedisError, OperationalError, OSError) as error:
        raise DemoFailed(f"the demo's Redis does not answer: {type(error).__name__}") from error
