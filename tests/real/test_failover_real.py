"""Two brokers, one with a quota that runs out: producers, workers and the daemon move, come back, and leave no task behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import House, a_pool
from live import a_redis, until
from quota_proxy import QuotaProxy, quota

pytestmark = [pytest.mark.real, pytest.mark.timeout(150)]

HASTE = (
    "import autoscaler.policy.failover as f, autoscaler.policy.looks as l; f.BACK_SECONDS = 4.0; l.PROBE_SECONDS = 1.0; "
    "l.SPENT_SECONDS = 2.0; from autoscaler.cli import main; main()"
)
"""The daemon with a probation of four seconds instead of a minute, which asks a spent broker every other second, not every five minutes."""
RESTORED_SOON = '{"visibility_timeout": 5, "unacked_restore_interval": 1}'


class TwoBrokers(House):
    """A house with a primary behind a quota and a fallback."""

    def __init__(self, folder: Path, proxy: QuotaProxy, fallback: str, traces: str) -> None:
        super().__init__(folder, traces)
        self.proxy, self.fallback, self.worker_urls = proxy, fallback, (proxy.url, fallback)
        pool = a_pool("p", most=3, transport=RESTORED_SOON)
        pool["worker"]["environment"] |= {"TASKAPP_TRACES": traces}
        brokers = [{"name": "primary", "url": proxy.url}, {"name": "fallback", "url": fallback}]
        self.write({"p": pool}, brokers=brokers, flower="http://127.0.0.1:1", interval="500ms")

    @property
    def active(self) -> str:
        """The broker that the daemon calls active."""
        return self.status()["active_broker"]

    def publish(self, first: int, count: int) -> None:
        """As a producer does whose Celery was given both addresses: where the first refuses, the second takes it."""
        for url in (self.proxy.url, self.fallback):
            try:
                self.send_to(url, "p", count, 0.5, first)
            except Exception:
                continue
            return
        raise AssertionError("no broker took the tasks")


@pytest.fixture
def house(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoBrokers]:
    """The session's Redis keeps the traces; primary and fallback are others."""
    monkeypatch.setenv("CELERY_BROKER_URL", redis_url)
    (tmp_path / "b").mkdir()
    with a_redis(tmp_path) as behind, a_redis(tmp_path / "b") as fallback, quota(behind) as proxy:
        built = TwoBrokers(tmp_path, proxy, fallback, redis_url)
        yield built
        built.close()


def test_fails_over_and_returns_without_losing_a_task(house: TwoBrokers) -> None:
    """The quota ends while workers run: they die, the fallback takes over; it is renewed: what was stranded runs, and home it goes."""
    house.start_daemon(command=[sys.executable, "-c", HASTE])
    house.publish(0, 6)
    until(lambda: len(house.traces("finished")) >= 2, 30)
    assert "primary" == house.active

    house.proxy.left = 0
    house.publish(100, 6)
    until(lambda: house.active == "fallback", 15)
    until(lambda: set(house.traces("finished")) >= set(range(100, 106)), 30)
    assert {"quota", "up"} == {broker["health"] for broker in house.status()["brokers"]}

    house.proxy.left = None
    until(lambda: house.active == "primary", 20)
    house.publish(200, 3)
    until(lambda: set(house.traces("finished")) >= {*range(6), *range(100, 106), *range(200, 203)}, 60)
    house.until_empty(40)
