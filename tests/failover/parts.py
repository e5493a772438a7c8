"""The house of the failover run: a primary behind a quota, a fallback, and a producer that takes whichever of them accepts."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import redis
import trustme
from house import House, a_pool
from live import a_redis, until
from secured import Secured, secured_redis

from .quota_proxy import QuotaProxy, quota

PRIMARY, FALLBACK = "primary", "fallback"


@dataclass(frozen=True)
class Accepted:
    """A task that a broker has taken."""

    broker: str
    at: float


@dataclass(frozen=True)
class Sample:
    """What was the case at one moment."""

    at: float
    active: str
    worked: frozenset[str]
    """Brokers that have workers."""


class TwoBrokers(House):
    """All parts on one machine, with workers as local processes; tasks leave their traces on a third Redis."""

    def __init__(self, folder: Path, proxy: QuotaProxy, behind: Secured, fallback: Secured, traces: str) -> None:
        self.urls = {PRIMARY: behind.url_at(proxy.port), FALLBACK: fallback.url}
        super().__init__(folder, self.urls[PRIMARY])
        self.proxy, self.worker_urls = proxy, tuple(self.urls.values())
        self.redis = redis.Redis.from_url(traces)
        self.ca_file = behind.ca_file
        self.accepted: dict[int, Accepted] = {}
        self.refused_by_all = 0
        self.samples: list[Sample] = []
        self._traces = traces
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    # -------------------------------------------------------- parts

    def configure(self, transport: dict[str, Any], **top: Any) -> None:
        """One pool, the primary on a plan of half a million commands."""
        pool = a_pool("p", most=3, transport=json.dumps(transport))
        pool["worker"]["environment"] |= {"TASKAPP_TRACES": self._traces}
        brokers = [{"name": PRIMARY, "url": self.urls[PRIMARY], "budget": "500000/month"}, {"name": FALLBACK, "url": self.urls[FALLBACK]}]
        self.write({"p": pool}, brokers=brokers, **top)

    def start_secured_flower(self) -> None:
        """Beside the primary; of a certificate authority of one's own it hears from the app's `broker_use_ssl` only."""
        tls = {"ssl_cert_reqs": "required", "ssl_ca_certs": str(self.ca_file)}
        paths = os.pathsep.join([str(Path(__file__).parents[1] / "real"), str(Path(__file__).parents[2])])
        self.start_flower("-A", "taskapp", PYTHONPATH=paths, CELERY_BROKER_URL=self.urls[PRIMARY], TASKAPP_TLS=json.dumps(tls))
        until(self._flower_sees, 30)

    def _flower_sees(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.flower_port}/api/queues/length", timeout=2, trust_env=False).is_success
        return False

    # -------------------------------------------------------- work

    def begin(self, every_seconds: float, runtime: float) -> None:
        """Publish from now on, and watch."""
        for work in (lambda: self._produce(every_seconds, runtime), self._watch):
            self._threads.append(threading.Thread(target=work, daemon=True))
            self._threads[-1].start()

    def rest(self) -> None:
        """Publish no more."""
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def _produce(self, every_seconds: float, runtime: float) -> None:
        number = 0
        while not self._over.wait(every_seconds):
            self._publish(number, runtime)
            number += 1

    def _publish(self, number: int, runtime: float) -> None:
        """As a producer does that was given both addresses: where the first refuses, the second takes it."""
        for broker, url in self.urls.items():
            try:
                self.send_to(url, "p", 1, runtime, number)
            except Exception:  # whatever it was, the producer was not told that its task was accepted
                continue
            self.accepted[number] = Accepted(broker, time.time())
            return
        self.refused_by_all += 1

    def _watch(self) -> None:
        with httpx.Client(timeout=5, trust_env=False) as client:
            while not self._over.wait(0.1):
                active = client.get(f"{self.url}/api/v1/status").json()["active_broker"]
                worked = frozenset(broker for broker, url in self.urls.items() if self._has_worker(url))
                self.samples.append(Sample(time.time(), active, worked))

    def _has_worker(self, url: str) -> bool:
        return bool(self.pids(url))

    def probes(self) -> int:
        """Commands that the daemon has sent to the primary today, as it counts them itself."""
        return next(b["usage"]["today"]["autoscaler"] for b in self.status()["brokers"] if b["broker"] == PRIMARY)

    def close(self) -> None:
        """End everything."""
        self.rest()
        super().close()


@contextmanager
def two_brokers(folder: Path) -> Iterator[TwoBrokers]:
    """The house, with nothing but the brokers running."""
    authority = trustme.CA()
    with (
        secured_redis(folder / "a", authority) as behind,
        secured_redis(folder / "b", authority) as fallback,
        a_redis(folder) as traces,
        quota(behind.port, authority) as proxy,
    ):
        house = TwoBrokers(folder, proxy, behind, fallback, traces)
        try:
            yield house
        finally:
            house.close()
