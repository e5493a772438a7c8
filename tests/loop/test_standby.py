"""Waiting for the lock: seen, in words, and without doing anything."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from live import free_port, until

from autoscaler.clock import SystemClock
from autoscaler.daemon import Daemon
from autoscaler.lock import StateLock
from autoscaler.standby import Standby

CONFIG = "flower: {{url: 'http://127.0.0.1:9'}}\nfleet: {{type: process}}\napi: {{listen: '127.0.0.1:{port}', token_file: {token}}}\n"
POOLS = "state: {state}\npools: {{mail: {{queues: [mail], replicas: {{max: 2}}, worker: {{command: celery worker}}}}}}\n"


class Waiting:
    """Somebody who asks for the lock, in a thread."""

    def __init__(self, state: Path, port: int, config: Path) -> None:
        self.url, self.clock, self.found = f"http://127.0.0.1:{port}", SystemClock(), []
        daemon = Daemon(config, {})
        standby = Standby(daemon.settings, daemon.snapshot, self.clock)
        self.thread = threading.Thread(target=lambda: self.found.append(standby.lock(state)), daemon=True)
        self.thread.start()

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One request to who stands by."""
        return httpx.request(method, f"{self.url}{path}", trust_env=False, timeout=5, **request)

    def answers(self) -> bool:
        """Whether it serves already."""
        try:
            return self.ask("GET", "/healthz").status_code == 200
        except httpx.HTTPError:
            return False


@pytest.fixture
def wait(tmp_path: Path) -> Iterator[Callable[[], Waiting]]:
    """Begins to wait for the lock on `state`."""
    made: list[Waiting] = []
    (tmp_path / "token").write_text("a-token-of-thirty-two-characters")

    def begin() -> Waiting:
        port, config = free_port(), tmp_path / "config.yaml"
        config.write_text(CONFIG.format(port=port, token=tmp_path / "token") + POOLS.format(state=tmp_path / "state"))
        made.append(Waiting(tmp_path / "state", port, config))
        return made[-1]

    yield begin
    for waiting in made:
        waiting.clock.stop()
        waiting.thread.join(10)


def test_a_free_lock_is_taken_at_once(wait: Callable[[], Waiting]) -> None:
    """Without anybody in charge there is nothing to wait for."""
    alone = wait()
    alone.thread.join(10)

    assert isinstance(alone.found[0], StateLock)


def test_who_waits_says_so_and_takes_over(wait: Callable[[], Waiting], tmp_path: Path) -> None:
    """Alive, not ready, no orders; and in charge as soon as the other has let go."""
    held = StateLock(tmp_path / "state")
    second = wait()
    until(second.answers, 10)
    order = {"headers": {"authorization": "Bearer a-token-of-thirty-two-characters"}, "json": {}}

    assert "is in charge, this one takes over when it ends" in second.ask("GET", "/api/v1/status").json()["standby"]
    assert [503, 503, 503] == [
        second.ask("GET", "/readyz").status_code,
        second.ask("GET", "/api/v1/pools/mail/decisions").status_code,
        second.ask("POST", "/api/v1/pools/mail/pause", **order).status_code,
    ]
    assert ["lock"] == [file.name for file in (tmp_path / "state").iterdir()]
    held.release()
    until(lambda: second.found, 10)
    assert isinstance(second.found[0], StateLock)
    assert not second.answers()


def test_who_waits_leaves_when_told(wait: Callable[[], Waiting], tmp_path: Path) -> None:
    """Without the lock, and without having touched it."""
    held = StateLock(tmp_path / "state")
    second = wait()
    until(second.answers, 10)
    second.clock.stop()
    until(lambda: second.found, 10)

    assert second.found == [None]
    held.release()
