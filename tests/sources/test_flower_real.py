"""The Flower source and the rules of belief against a real Flower, a real worker and a real Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from kombu import Connection
from live import HERE, ROOT, Workers, free_port, until
from workapp import hold, seldom

from autoscaler.config.models import FlowerSettings
from autoscaler.model import Known, Observation, Policies, PoolPolicy, Unknown
from autoscaler.sources.eyes import Eyes
from autoscaler.sources.flower import NOT_LISTED, FlowerSource

pytestmark = pytest.mark.real

POLICIES = Policies("t", 0.5, 5, {"mail": PoolPolicy("mail", ("celery", "elsewhere"), 0, 5, 1)})


@pytest.fixture
def flower(redis_url: str, tmp_path: Path) -> Iterator[str]:
    """Address of a real Flower with an open API."""
    port = free_port()
    paths = os.pathsep.join([str(HERE), str(ROOT)])
    env = {**os.environ, "PYTHONPATH": paths, "WORKAPP_BROKER": redis_url, "FLOWER_UNAUTHENTICATED_API": "true"}
    command = [sys.executable, "-m", "celery", "-A", "workapp", "flower", f"--port={port}", "--address=127.0.0.1"]
    with subprocess.Popen(command, env=env, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        until(lambda: _answers(url), 30)
        yield url
        process.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthcheck", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def eyes(flower: str) -> Iterator[Eyes]:
    """Eyes on that Flower alone."""
    looking = Eyes(tuple, [FlowerSource(FlowerSettings(url=flower))], depth_from="auto", max_age_seconds=60.0, patience_seconds=5.0)
    yield looking
    looking.close()


def seen(eyes: Eyes, when: Callable[[Observation], bool], seconds: float = 20.0) -> Observation:
    """The first look at which this holds."""
    end = time.monotonic() + seconds
    while not when(look := eyes.look(POLICIES, time.time())):
        assert time.monotonic() < end, look
        time.sleep(0.3)
    return look


def running(n: int, worker: str = "celery@w0") -> Callable[[Observation], bool]:
    """Whether this worker is known to run so many tasks."""
    return lambda look: worker in look.workers and isinstance(r := look.workers[worker].running, Known) and r.value == n


@pytest.mark.timeout(120)
def test_life_of_a_real_worker(eyes: Eyes, workers: Workers, redis_url: str, tmp_path: Path) -> None:
    """Idle, busy, hung, awake and drained: each is seen as what it is, and never as idle by mistake."""
    first = eyes.look(POLICIES, time.time())
    assert isinstance(first.queues["celery"].waiting, Known)
    assert first.queues["elsewhere"].waiting == Unknown(NOT_LISTED, "flower")

    worker = workers.start("-Q", "celery", "-c", "2", "-E")
    seen(eyes, running(0))

    gate = tmp_path / "gate"
    with Connection(redis_url) as broker:
        for _ in range(4):
            hold.apply_async((str(gate),), connection=broker)
    busy = seen(eyes, running(2)).workers[worker.name]
    assert isinstance(busy.reserved, Known)
    assert busy.reserved.value == 2

    worker.signal(signal.SIGSTOP)
    hung = seen(eyes, lambda look: not isinstance(look.workers[worker.name].running, Known)).workers[worker.name]
    assert not (isinstance(hung.online, Known) and hung.online.value)

    worker.signal(signal.SIGCONT)
    seen(eyes, running(2))

    worker.signal(signal.SIGTERM)
    draining = seen(eyes, lambda look: isinstance(look.workers[worker.name].running, Unknown)).workers[worker.name]
    assert "draining or cut off" in draining.running.why  # type: ignore[union-attr]
    gate.touch()
    assert worker.process.wait(20) == 0


@pytest.mark.timeout(120)
def test_rate_limited_task_is_reserved(eyes: Eyes, workers: Workers, redis_url: str) -> None:
    """A task that waits in the worker for its rate is reserved there, though nothing runs."""
    worker = workers.start("-Q", "celery", "-c", "1", "-E")
    with Connection(redis_url) as broker:
        for _ in range(2):
            seldom.apply_async(connection=broker)

    seen(
        eyes,
        lambda look: isinstance(r := look.workers[worker.name].reserved, Known) and r.value == 1 if worker.name in look.workers else False,
    )
