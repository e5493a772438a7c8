"""A whole house on real parts: Redis, Flower, the daemon as a user starts it, and workers as local processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import redis
import yaml
from live import HERE, ROOT, free_port, until

FAST = {"scale_down": {"stabilization": "3s"}}


def a_pool(queue: str, *, slots: int = 1, most: int = 5, pages: bool = True, transport: str = "{}", **changes: Any) -> dict[str, Any]:
    """A pool of local workers on one queue."""
    celery = [sys.executable, "-m", "celery", "-A", "taskapp", "worker"]
    command = [*celery, "-Q", queue, "-c", str(slots), "-l", "INFO", "--without-mingle", "--without-gossip"]
    worker: dict[str, Any] = {
        "command": command,
        "working_dir": str(HERE / "real"),
        "environment": {"PYTHONPATH": f"{HERE / 'real'}{os.pathsep}{ROOT}", "TASKAPP_TRANSPORT": transport},
    }
    if pages:
        worker["metrics_port"] = 9100
    return {"queues": [queue], "replicas": {"min": 0, "max": most}, "slots": slots, "worker": worker, **FAST, **changes}


class House:
    """Starts the parts, asks the daemon, and takes everything down again."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder, self.redis_url = folder, redis_url
        self.worker_urls: tuple[str, ...] = (redis_url,)
        """Brokers that workers of this house are started for."""
        self.config = folder / "config.yaml"
        self.port, self.flower_port = free_port(), free_port()
        self.daemon: subprocess.Popen[bytes] | None = None
        self.flower: subprocess.Popen[bytes] | None = None
        self.redis = redis.Redis.from_url(redis_url.replace("redis+socket:", "unix:"))  # Celery and redis-py call it differently

    # -------------------------------------------------------- parts

    def start_flower(self, *options: str, **environment: str) -> None:
        """Flower as most people start it: `--broker` alone, unless other options of Celery are given."""
        place = [f"--port={self.flower_port}", "--address=127.0.0.1"]
        command = [sys.executable, "-m", "celery", *(options or (f"--broker={self.redis_url}",)), "flower", *place]
        with (self.folder / "flower.log").open("ab") as log:
            env = {**os.environ, "FLOWER_UNAUTHENTICATED_API": "true", **environment}
            self.flower = subprocess.Popen(command, env=env, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT)
        until(lambda: _answers(f"http://127.0.0.1:{self.flower_port}/healthcheck"), 30)

    def write(
        self, pools: dict[str, Any], *, brokers: bool | list[dict[str, str]] = True, flower: str | dict[str, Any] | None = None, **top: Any
    ) -> None:
        """Write `config.yaml`, by renaming over, as editors do."""
        settings: dict[str, Any] = {
            "interval": "1s",
            "state": str(self.folder / "state"),
            "flower": flower if isinstance(flower, dict) else {"url": flower or f"http://127.0.0.1:{self.flower_port}", "timeout": "3s"},
            "fleet": {"type": "process"},
            "api": {"listen": f"127.0.0.1:{self.port}"},
            "log": {"level": "info", "format": "json"},
            "pools": pools,
            **top,
        }
        if brokers:
            settings["brokers"] = brokers if isinstance(brokers, list) else [{"name": "primary", "url": self.redis_url}]
        fresh = self.config.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(settings))
        fresh.rename(self.config)

    def start_daemon(self, *options: str, command: Sequence[str] = (sys.executable, "-m", "autoscaler")) -> None:
        """`autoscaler run`, as a user would."""
        command = [*command, "run", "-c", str(self.config), *options]
        with (self.folder / "daemon.log").open("ab") as log:
            self.daemon = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        until(lambda: _answers(f"{self.url}/readyz") or self.daemon.poll() is not None, 30)
        assert self.daemon.poll() is None, self.log[-3000:]

    def kill_daemon(self) -> None:
        """kill -9, at whatever it is doing."""
        self.daemon.kill()
        self.daemon.wait(10)

    # -------------------------------------------------------- questions

    @property
    def url(self) -> str:
        """The daemon's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What the daemon has said."""
        return (self.folder / "daemon.log").read_text()

    def status(self) -> dict[str, Any]:
        """`/api/v1/status`."""
        return httpx.get(f"{self.url}/api/v1/status", timeout=5, trust_env=False).json()

    def pool(self, name: str) -> dict[str, Any]:
        """One pool of the status."""
        return next(p for p in self.status()["pools"] if p["pool"] == name)

    def ticks(self) -> int:
        """How many ticks the daemon has made."""
        page = httpx.get(f"{self.url}/metrics", timeout=5, trust_env=False).text
        return round(float(next(line.split()[1] for line in page.splitlines() if line.startswith("autoscaler_tick_seconds_count"))))

    def pids(self, *urls: str) -> dict[str, int]:
        """Name and pid of every worker process of this house, drained ones included, as the operating system has them.

        With `urls` only those of these brokers.
        """
        found = {}
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                pairs = environ.read_bytes().split(b"\0")
                mine = any(f"CELERY_BROKER_URL={url}".encode() in pairs for url in urls or self.worker_urls)
                name = next((p.partition(b"=")[2].decode() for p in pairs if p.startswith(b"AUTOSCALER_REPLICA=")), None)
                pid = int(environ.parent.name)
                keeps = b"process_keeper" in environ.with_name("cmdline").read_bytes()  # leads a group of its own, too
                if mine and name and os.getpgid(pid) == pid and not keeps:
                    found[name] = pid
        return found

    # -------------------------------------------------------- work

    def send(self, queue: str, count: int, seconds: float, first: int = 0) -> None:
        """Publish tasks that take so long."""
        self.send_to(self.redis_url, queue, count, seconds, first)

    @staticmethod
    def send_to(url: str, queue: str, count: int, seconds: float, first: int = 0) -> None:
        """The same, on this broker; raises where it does not take them."""
        import taskapp

        with taskapp.app.connection_for_write(url) as connection:
            for number in range(first, first + count):
                taskapp.work.apply_async((number, seconds), queue=queue, connection=connection)

    def traces(self, what: str) -> Counter[int]:
        """How often each task has started or finished."""
        return Counter(json.loads(line)[0] for line in self.redis.lrange(what, 0, -1))

    def times(self, what: str) -> list[float]:
        """When tasks started or finished."""
        return [json.loads(line)[1] for line in self.redis.lrange(what, 0, -1)]

    def until_done(self, count: int, seconds: float) -> None:
        """Wait until so many different tasks have finished."""
        until(lambda: len(self.traces("finished")) >= count, seconds)

    def until_empty(self, seconds: float = 30.0) -> None:
        """Wait until no worker is left."""
        until(lambda: not self.pids(), seconds)

    # -------------------------------------------------------- the end

    def close(self) -> None:
        """End everything that this house started."""
        for process in (self.daemon, self.flower):
            if process and process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(8)
                process.kill()
        for pid in self.pids().values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        self.redis.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def wait(seconds: float) -> None:
    """Let real time pass, because what is tested is that nothing happens in it."""
    time.sleep(seconds)
