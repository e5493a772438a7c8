"""Fixtures that tests of several rooms stand on: a real Redis, and real Celery workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck
from hypothesis import settings as properties
from live import Workers, a_redis

properties.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
properties.load_profile("unhurried")
"""How long an example takes says something about the machine, not about the law."""


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real Redis for the whole run."""
    with a_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """URL of a real, empty Redis."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
        client.config_resetstat()
    return redis_server


@pytest.fixture
def workers(redis_url: str, tmp_path: Path) -> Iterator[Workers]:
    """A starter of real workers on the test's Redis."""
    starter = Workers(redis_url, tmp_path)
    yield starter
    for worker in starter.started:
        worker.kill()
