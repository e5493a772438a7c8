"""One scene for all tests of a module: it takes a while to play, and nothing of it may be left when others use the same Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis
from prometheus_server import a_prometheus, programs
from receiver import a_receiver
from scene import House, Scene, play


@pytest.fixture(scope="module")
def scene(redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A burst that grows a pool and lets it go again, an edited configuration, Flower dead all the while, and a pool that cannot start."""
    programs()
    folder = tmp_path_factory.mktemp("scene")
    with pytest.MonkeyPatch.context() as patch, redis.Redis.from_url(redis_server) as client:
        client.flushall()
        patch.setenv("CELERY_BROKER_URL", redis_server)
        house = House(folder, redis_server)
        try:
            with a_prometheus(folder / "prometheus", f"127.0.0.1:{house.port}") as prometheus, a_receiver() as (url, messages):
                began = play(house, prometheus, url)
                yield Scene(house, prometheus, messages, began, time.time())
        finally:
            house.close()
