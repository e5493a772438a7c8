"""The house of the chaos run: every part can be killed, hung and started again, and a supervisor brings the daemon back.

What tasks leave behind goes to a second Redis that nobody touches, so that the judge can trust it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from house import House, a_pool
from live import ROOT, free_port, redis_binary, until

TRANSPORT = {"visibility_timeout": 15, "unacked_restore_interval": 1, "socket_timeout": 5, "socket_connect_timeout": 3}
STATE_BYTES = 16 * 1024 * 1024


class Redis:
    """A Redis that keeps what it was told through any kill."""

    def __init__(self, folder: Path) -> None:
        self.port, self._folder = free_port(), folder
        folder.mkdir()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Begin, or go on with what is on the disk."""
        keep = ["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir", str(self._folder)]
        command = [redis_binary(), "--port", str(self.port), "--bind", "127.0.0.1", *keep]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers, 20)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), redis.Redis.from_url(self.url, socket_timeout=2) as client:
            return bool(client.ping())
        return False


class ChaosHouse(House):
    """All parts, on one machine, with workers as local processes."""

    def __init__(self, folder: Path) -> None:
        self.broker, self.traces_redis = Redis(folder / "broker"), Redis(folder / "traces")
        os.environ.update(CELERY_BROKER_URL=self.broker.url, TASKAPP_TRACES=self.traces_redis.url, TASKAPP_TRANSPORT=json.dumps(TRANSPORT))
        super().__init__(folder, self.broker.url)
        self.redis = redis.Redis.from_url(self.traces_redis.url)
        self.daemon_starts = 0
        self.sent = 0
        self.most = {"mail": 3, "video": 3}
        self.foreign: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    # -------------------------------------------------------- parts

    def open(self) -> None:
        """Start everything, and a worker that is not ours."""
        self.start_flower()
        self.configure()
        alien = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "taskapp",
            "worker",
            "-Q",
            "elsewhere",
            "-n",
            "foreign@here",
            "-c",
            "1",
            "-P",
            "solo",
        ]
        with (self.folder / "foreign.log").open("ab") as log:
            env = {**os.environ, "PYTHONPATH": f"{ROOT / 'tests' / 'real'}{os.pathsep}{ROOT}"}
            self.foreign = subprocess.Popen(alien, env=env, stdout=log, stderr=log, start_new_session=True)
        self._begin(self._supervise)
        until(lambda: self.daemon is not None and self.is_ready(), 40)

    def configure(self) -> None:
        """Write the configuration as it is now."""
        pools = {
            name: a_pool(name, slots=slots, most=self.most[name], transport=json.dumps(TRANSPORT), drain={"timeout": "60s"})
            for name, slots in (("mail", 4), ("video", 2))
        }
        for pool in pools.values():
            pool["worker"]["environment"]["TASKAPP_TRACES"] = self.traces_redis.url
        self.write(pools)

    def is_ready(self) -> bool:
        """Whether the daemon has looked."""
        with contextlib.suppress(Exception):
            return bool(self.status()["pools"])
        return False

    def _supervise(self) -> None:
        """What systemd or Docker does: a daemon that ends is started again."""
        command = [sys.executable, "-m", "autoscaler", "run", "-c", str(self.config)]
        with (self.folder / "daemon.log").open("ab") as log:
            while not self._over.is_set():
                if self.daemon is None or self.daemon.poll() is not None:
                    self.daemon = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
                    self.daemon_starts += 1
                self._over.wait(0.5)

    # -------------------------------------------------------- work

    def produce(self, count: int, seconds: float) -> None:
        """Publish so many tasks over so many seconds, in the background; a refused one is sent again."""
        self._begin(lambda: self._produce(count, seconds))

    def _produce(self, count: int, seconds: float) -> None:
        began = time.monotonic()
        while self.sent < count and not self._over.is_set():
            due = int((time.monotonic() - began) / seconds * count) + 1
            for number in range(self.sent, min(due, count)):
                queue, runtime = ("video", 0.2 + number % 7 * 0.3) if number % 10 == 0 else ("mail", 0.05 + number % 5 * 0.15)
                try:
                    self.send(queue, 1, runtime, first=number)
                except Exception:  # the broker is away: the producer tries again, as producers do
                    self._over.wait(0.5)
                    break
                self.sent = number + 1
            self._over.wait(0.2)

    def _begin(self, work: Any) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """End everything."""
        self._over.set()
        for thread in self._threads:
            thread.join(15)
        parts = [self.daemon, self.flower, self.foreign, self.broker.process]
        for process in parts:
            if process and process.poll() is None:
                process.send_signal(signal.SIGCONT)
        for pid in self.pids().values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGCONT)
        super().close()
        for process in (self.foreign, self.broker.process, self.traces_redis.process):
            if process:
                process.kill()
                process.wait(10)


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A state folder on a disk of its own that can be full; False where this machine lets nobody mount one."""
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", f"size={STATE_BYTES}", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(options, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)
