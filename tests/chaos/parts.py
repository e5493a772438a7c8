"""The house of the chaos run: every part can be killed, hung and started again, and a supervisor brings the daemon back.

What tasks leave behind goes to a second Redis that nobody touches, so that the judge can trust it.
"""

from __future__ import annotations

import base64
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

import httpx
import redis
from house import House, a_pool
from live import ROOT, free_port, redis_binary, until
from private_engine import PrivateEngine

TRANSPORT = {
    "visibility_timeout": 15,
    "unacked_restore_interval": 1,
    "unacked_mutex_expire": 5,  # of 300 s: a worker that was killed while it gave tasks back holds all the others up for so long
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
}
STATE_BYTES = 16 * 1024 * 1024


class Redis:
    """A Redis that keeps what it was told through any kill."""

    def __init__(self, folder: Path, *, by_socket: bool = False) -> None:
        """`by_socket`: it is spoken to through a file, which a container without a network may have, too."""
        self.port, self._folder = free_port(), folder
        folder.mkdir()
        self._options = ["--unixsocket", str(folder / "redis.sock")] if by_socket else []
        self.plain_url = f"unix://{folder / 'redis.sock'}" if by_socket else f"redis://127.0.0.1:{self.port}/0"
        self.url = f"redis+socket://{folder / 'redis.sock'}" if by_socket else f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def client(self, **options: Any) -> redis.Redis:
        """For those who watch."""
        return redis.Redis(port=self.port, **options)

    def start(self) -> None:
        """Begin, or go on with what is on the disk."""
        keep = ["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir", str(self._folder)]
        command = [redis_binary(), "--port", str(self.port), "--bind", "127.0.0.1", *keep, *self._options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers, 20)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), self.client(socket_timeout=2) as client:
            return bool(client.ping())
        return False


class ChaosHouse(House):
    """All parts, on one machine, with workers as local processes."""

    engine: PrivateEngine | None = None
    """Where workers are containers."""

    def __init__(self, folder: Path, *, by_socket: bool = False) -> None:
        self.broker, self.traces_redis = (Redis(folder / name, by_socket=by_socket) for name in ("broker", "traces"))
        os.environ.update(CELERY_BROKER_URL=self.broker.url, TASKAPP_TRACES=self.traces_redis.plain_url)
        os.environ["TASKAPP_TRANSPORT"] = json.dumps(TRANSPORT)
        super().__init__(folder, self.broker.url)
        self.redis = self.traces_redis.client()
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
        self.begin_foreign()
        self._begin(self._supervise)
        until(lambda: self.daemon is not None and self.is_ready(), 40)

    def begin_foreign(self) -> None:
        """A worker that is not ours."""
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

    def foreign_lives(self) -> bool:
        """Whether the worker that is not ours is as it was."""
        return self.foreign is not None and self.foreign.poll() is None

    def workers(self) -> set[str]:
        """Names of our workers that run."""
        return set(self.pids())

    def signal_worker(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one of our workers, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            if pid := self.pids().get(name):
                os.killpg(pid, number)

    def configure(self) -> None:
        """Write the configuration as it is now."""
        self.write({name: self.pool_of(name, slots) for name, slots in (("mail", 4), ("video", 2))})

    def pool_of(self, name: str, slots: int) -> dict[str, Any]:
        """One pool of the configuration."""
        pool = a_pool(name, slots=slots, most=self.most[name], transport=json.dumps(TRANSPORT), drain={"timeout": "60s"})
        pool["worker"]["environment"]["TASKAPP_TRACES"] = self.traces_redis.plain_url
        return pool

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

    def held(self) -> set[int]:
        """Numbers of the tasks that the broker has, waiting or taken and not acknowledged."""
        with self.broker.client(socket_timeout=5) as client:
            waiting = [message for queue in self.most for message in client.lrange(queue, 0, -1)]
            taken = [json.loads(entry)[0] for entry in client.hvals("unacked")]
        bodies = [message["body"] for message in (*map(json.loads, waiting), *taken)]
        return {json.loads(base64.b64decode(body))[0][0] for body in bodies}

    def _begin(self, work: Any) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """End everything; what the daemon says of it last stays in the folder."""
        with contextlib.suppress(httpx.HTTPError, OSError):  # it may be gone by now
            (self.folder / "status.json").write_text(json.dumps(self.status(), indent=1))
        self._over.set()
        for thread in self._threads:
            thread.join(15)
        parts = [self.daemon, self.flower, self.foreign, self.broker.process]
        for process in parts:
            if process and process.poll() is None:
                process.send_signal(signal.SIGCONT)
        for name in self.workers():
            self.signal_worker(name, signal.SIGCONT)
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
