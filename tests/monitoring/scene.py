"""The scene that rules and dashboards are looked at with: real workers, the real daemon and a real Prometheus that follows both."""

from __future__ import annotations

import queue
import sys
import time
from dataclasses import dataclass
from typing import Any

import httpx
from live import HERE, until
from prometheus_server import Prometheus

sys.path[:0] = [str(HERE / "real")]

from house import House, a_pool  # noqa: E402

TASKS = 16
"""Short ones, so that a page that is read each second shows growth in any two readings."""


@dataclass
class Scene:
    """What has happened, and whom to ask about it."""

    house: House
    prometheus: Prometheus
    messages: queue.Queue[dict[str, str]]
    began: float
    ended: float


def broken(queue: str) -> dict[str, Any]:
    """A pool whose workers end at once."""
    pool = a_pool(queue, most=1)
    pool["worker"] = {"command": [sys.executable, "-c", "raise SystemExit(3)"]}
    return pool


def play(house: House, prometheus: Prometheus, told: str) -> float:
    """Trouble is sent to the address `told`; returns when the first scrape may have been.

    Nothing happens before a first scrape has seen the daemon as it began: growth is what two scrapes tell apart.
    """
    neighbours: dict[str, Any] = {
        "flower": "http://127.0.0.1:1",
        "notify": {"urls": [told], "every": "1s"},
        "brokers": [{"name": "primary", "url": house.redis_url, "budget": "100000/day"}],
    }
    house.write({"work": a_pool("work", most=2), "broken": broken("broken")}, **neighbours)
    began = time.time()
    house.start_daemon()
    until(lambda: prometheus.ask("autoscaler_tick_seconds_count"), 20)
    _refused(house)
    house.send("work", TASKS, 0.8)
    house.send("broken", 1, 0.1, first=100)
    until(lambda: house.traces("started"), 30)
    house.write({"work": a_pool("work", most=2, start={"timeout": "50s"}), "broken": broken("broken")}, **neighbours)
    house.until_done(TASKS, 60)
    _refused(house)
    house.until_empty(40)
    until(lambda: not house.pool("work")["workers"], 20)
    return began


def _refused(house: House) -> None:
    """An order without a token."""
    assert httpx.post(f"{house.url}/api/v1/pools/work/pause", timeout=5, trust_env=False).status_code == 403
