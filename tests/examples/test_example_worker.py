"""The example image's parts: the entrypoint's command line, and a worker under load with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from live import ROOT, commands, free_port, until

WORKER = ROOT / "examples/worker"
ENTRYPOINT = WORKER / "entrypoint.worker.sh"
BASE = ["--app", "app", "worker", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]


@pytest.mark.parametrize(
    ("environment", "arguments", "expected"),
    [
        pytest.param({}, [], BASE, id="nothing set"),
        pytest.param({"CELERY_QUEUES": "a,b c"}, [], [*BASE, "--queues", "a,b c"], id="queues stay one word"),
        pytest.param({"CELERY_QUEUES": ""}, [], BASE, id="empty is unset"),
        pytest.param(
            {"CELERY_AUTOSCALE": "4,1", "CELERY_POOL": "prefork", "CELERY_MAX_TASKS": "100", "CELERY_CONCURRENCY": "2"},
            [],
            [*BASE, "--max-tasks-per-child", "100", "--autoscale", "4,1", "--concurrency", "2", "--pool", "prefork"],
            id="sizes",
        ),
        pytest.param({"CELERY_WITHOUT_HEARTBEAT": "1"}, [], [*BASE, "--without-heartbeat"], id="no heartbeat"),
        pytest.param({"CELERY_WITHOUT_HEARTBEAT": "0"}, [], BASE, id="heartbeat"),
        pytest.param({"CELERY_METERED": "1"}, [], [*BASE, "--without-heartbeat"], id="metered"),
        pytest.param(
            {"CELERY_APP": "shop", "CELERY_LOGLEVEL": "DEBUG"},
            ["--time-limit", "60"],
            ["--app", "shop", "worker", "--loglevel", "DEBUG", "--without-gossip", "--without-mingle", "--time-limit", "60"],
            id="further arguments",
        ),
    ],
)
def test_builds_the_command_line(environment: dict[str, str], arguments: list[str], expected: list[str], tmp_path: Path) -> None:
    """Each variable becomes its option, an empty one none, and further arguments come last."""
    celery = tmp_path / "celery"
    celery.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    celery.chmod(0o755)

    said = subprocess.run(
        [ENTRYPOINT, *arguments], env={"PATH": f"{tmp_path}:/bin:/usr/bin", **environment}, capture_output=True, text=True, check=True
    )

    assert said.stdout.splitlines() == expected


def test_the_image_copies_what_is_there() -> None:
    """Every file that the Dockerfile copies exists, and the command is in exec form."""
    lines = (WORKER / "Dockerfile").read_text().splitlines()
    sources = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]

    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert 'CMD ["/usr/local/bin/entrypoint.worker.sh"]' in lines
    assert os.access(ENTRYPOINT, os.X_OK)


@contextmanager
def a_worker(redis_url: str, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """The example worker as its image starts it."""
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{WORKER}:{ROOT}",
        "CELERY_BROKER_URL": redis_url,
        "CELERY_QUEUES": "default",
        "CELERY_WORKER_HOSTNAME": "celery@example",
        "AUTOSCALER_METRICS_PORT": str(free_port()),
        **environment,
    }
    with log.open("wb") as out, subprocess.Popen([ENTRYPOINT], env=env, cwd=log.parent, stdout=out, stderr=out) as process:
        try:
            until(lambda: " ready." in log.read_text())
            yield process
        finally:
            process.kill()


def a_load(redis_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A run of the example's producer."""
    command = [sys.executable, str(ROOT / "examples/producer/load.py"), "--broker", redis_url, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)


@pytest.mark.real
def test_works_off_a_load_and_leaves_on_sigterm(redis_url: str, tmp_path: Path) -> None:
    """All tasks come back with their waits, the worker has the name it was given, and SIGTERM reaches Celery itself."""
    log = tmp_path / "worker.log"
    with a_worker(redis_url, log, CELERY_AUTOSCALE="4,1") as worker:
        load = a_load(redis_url, "--tasks", "40", "--concurrent", "8", "--duration", "0.01")

        assert load.returncode == 0, load.stderr
        assert load.stdout.startswith("40 of 40 tasks came back (100.0%)")
        assert re.search(r"waited p50 \d+\.\d\d s, p95 \d+\.\d\d s, max \d+\.\d\d s", load.stdout)

        worker.terminate()
        assert worker.wait(10) == 0
    assert "celery@example ready." in log.read_text()
    assert "metrics page on port" in log.read_text()


@pytest.mark.real
def test_holds_no_more_than_it_runs(redis_url: str, tmp_path: Path) -> None:
    """With the example's settings what cannot run now stays in the queue, where it is counted."""
    import redis

    with a_worker(redis_url, tmp_path / "worker.log", CELERY_CONCURRENCY="2"), redis.Redis.from_url(redis_url) as client:
        sender = [sys.executable, str(ROOT / "examples/producer/load.py"), "--broker", redis_url, "--tasks", "9", "--concurrent", "9"]
        with subprocess.Popen([*sender, "--duration", "60"], stdout=subprocess.DEVNULL) as producer:
            try:
                until(lambda: (client.hlen("unacked"), client.llen("default")) == (2, 7))
            finally:
                producer.kill()


@pytest.mark.real
def test_a_metered_worker_works_and_is_silent_when_idle(redis_url: str, tmp_path: Path) -> None:
    """The profile for brokers that bill commands does its work, and then waits in one command of half a minute."""
    with a_worker(redis_url, tmp_path / "worker.log", CELERY_METERED="1", CELERY_CONCURRENCY="1"):
        load = a_load(redis_url, "--tasks", "20", "--concurrent", "4", "--duration", "0.01")

        assert load.stdout.startswith("20 of 20 tasks came back (100.0%)"), load.stderr
        before = commands(redis_url)
        time.sleep(5)  # ten times what an idle worker with Celery's defaults lets pass between two commands
        assert commands(redis_url) == before


@pytest.mark.real
def test_a_load_that_does_not_come_back_fails(redis_url: str) -> None:
    """Without workers the producer gives up and says so."""
    load = a_load(redis_url, "--tasks", "3", "--timeout", "0.5")

    assert load.returncode == 1
    assert load.stdout.startswith("0 of 3 tasks came back (0.0%)")
