"""One look at the running demo: the daemon's own status, and how far the tasks have come.

`play.py` looks and decides by it what comes next; `screen.py` shows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from autoscaler.demo.burst import Burst
from autoscaler.demo.programs import DemoFailed

PHASES = ("ready", "starting", "draining", "stopping", "lost")


@dataclass(frozen=True, slots=True)
class PoolScene:
    """One pool as the daemon sees it, and its tasks as Celery's results tell them."""

    name: str
    waiting: int | None
    """None where the daemon cannot see it."""
    busy: int | None
    slots: int | None
    phases: dict[str, int]
    replicas_max: int
    desired: int
    why: str
    sent: int
    done: int

    @property
    def workers(self) -> int:
        """Everything that runs for this pool, leaving ones included."""
        return sum(self.phases.values())

    @property
    def is_at_rest(self) -> bool:
        """Nothing waits, surely, and nobody works."""
        return self.waiting == 0 and self.workers == 0 and self.desired == 0


@dataclass(frozen=True, slots=True)
class Scene:
    """The whole demo at one moment."""

    seconds: float
    """Since the first task was sent."""
    pools: tuple[PoolScene, ...]
    trouble: tuple[str, ...]

    @property
    def is_over(self) -> bool:
        """Every task that was sent is done, and every pool is back at zero."""
        return all(pool.is_at_rest and pool.done == pool.sent for pool in self.pools)


class Daemon:
    """The daemon's HTTP API, asked like any other client would; every question raises DemoFailed when it is not answered."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=5.0, trust_env=False)

    def status(self) -> dict[str, Any]:
        """Everything at this moment."""
        told: dict[str, Any] = self._ask("/api/v1/status").json()
        return told

    def ticks(self, since: float) -> dict[str, list[dict[str, Any]]]:
        """Every tick in the journal since then, by pool."""
        told: dict[str, list[dict[str, Any]]] = self._ask(f"/api/v1/history?since={since}&limit=10000").json()["pools"]
        return told

    def metrics(self) -> str:
        """The page for Prometheus."""
        return self._ask("/metrics").text

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _ask(self, path: str) -> httpx.Response:
        try:
            return self._client.get(path).raise_for_status()
        except httpx.HTTPError as error:
            raise DemoFailed(f"the autoscaler's API does not answer: {error}") from error


def compose(status: dict[str, Any], bursts: Iterable[Burst], seconds: float) -> Scene:
    """Put both halves together."""
    told = {pool["pool"]: pool for pool in status["pools"]}
    return Scene(seconds, tuple(_pool(told[burst.pool], burst) for burst in bursts), tuple(status["trouble"]))


def _pool(told: dict[str, Any], burst: Burst) -> PoolScene:
    counted = told["replicas"] or {}
    return PoolScene(
        name=burst.pool,
        waiting=told["backlog"],
        busy=told["busy"],
        slots=told["slots"],
        phases={phase: counted.get(phase, 0) for phase in PHASES},
        replicas_max=told["max"],
        desired=told["desired"] or 0,
        why=told["why"],
        sent=len(burst.sent),
        done=burst.done,
    )
