"""What an idle daemon asks of a real broker whose commands are counted: next to nothing, until somebody wakes it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
from house import House, a_pool
from live import commands, until
from secured import secured_redis

pytestmark = [pytest.mark.real, pytest.mark.tls, pytest.mark.timeout(90)]


NO_FLOWER = {"url": "http://flower:5555", "enabled": False}


class Frugal(House):
    """A house without Flower, whose broker has a budget, and whose producers may wake."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        super().__init__(folder, redis_url)
        self.token = secrets.token_hex(16)
        (folder / "wake").write_text(self.token)
        api = {"listen": f"127.0.0.1:{self.port}", "wake_token_file": str(folder / "wake")}
        broker = {"name": "primary", "url": redis_url, "budget": "500000/month"}
        self.write({"p": a_pool("p", most=1)}, brokers=[broker], flower=NO_FLOWER, interval="200ms", api=api)

    def wake(self) -> None:
        """As a producer does after a publish."""
        said = httpx.post(f"{self.url}/api/v1/pools/p/wake", headers={"Authorization": f"Bearer {self.token}"}, trust_env=False)
        said.raise_for_status()

    @property
    def asked_every(self) -> float:
        """Seconds from one look at the broker to the next, as the daemon tells it."""
        return self.status()["brokers"][0]["asked_every_seconds"]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Frugal]:
    """A daemon with nothing to do, and a broker that wants TLS and a password."""
    with secured_redis(tmp_path / "redis", trustme.CA()) as there:
        monkeypatch.setenv("CELERY_BROKER_URL", there.url)
        built = Frugal(tmp_path, there.url)
        built.start_daemon()
        yield built
        built.close()


def test_asks_nothing_until_it_is_woken(house: Frugal) -> None:
    """The loop ticks on and leaves the broker alone; a task that nobody tells of waits for the safety look, a wake starts a worker."""
    house.wake()
    until(lambda: house.asked_every == 600.0)
    before, ticks = commands(house.redis_url), house.ticks()

    until(lambda: house.ticks() >= ticks + 10)
    assert before == commands(house.redis_url)

    house.send("p", 1, 0.1)
    house.wake()
    until(lambda: house.traces("finished"), 30)
    assert [] == house.status()["trouble"]
    words = house.status()["brokers"][0]["words"]
    assert any("an idle worker costs" in text for text in words)
