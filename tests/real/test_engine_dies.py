"""A Docker engine that hangs, and one that is killed with everything in it, while the daemon runs: as when a host loses its power."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from house import House, until
from private_engine import PrivateEngine, docker_worker, run_script

pytestmark = [pytest.mark.real, pytest.mark.engine, pytest.mark.timeout(180)]


@pytest.fixture
def private_engine(tmp_path: Path) -> Iterator[PrivateEngine]:
    """Up, and taken down whatever became of it."""
    folder = tmp_path / "engine"
    try:
        yield PrivateEngine(folder)
    finally:
        run_script("down", str(folder))


@pytest.mark.skipif(os.geteuid() != 0, reason="a private engine needs root")
def test_an_engine_that_hangs_and_dies(private_engine: PrivateEngine, tmp_path: Path, redis_url: str) -> None:
    """While it hangs nothing is ordered twice; when all its containers are dead a new one comes, and a foreign one stays as it is."""
    house = House(tmp_path, redis_url)
    worker = docker_worker(command=["sleep", "600"]).model_dump(mode="json", exclude_unset=True)
    pool = {"queues": ["work"], "replicas": {"min": 0, "max": 2}, "slots": 1, "worker": worker}
    house.write({"work": pool}, fleet={"type": "docker", "host": private_engine.host, "timeout": "3s"}, flower="http://127.0.0.1:1")
    private_engine.begin("foreign", of="somebody")
    house.redis.rpush("work", *(f"task {i}" for i in range(8)))
    house.start_daemon()
    try:
        until(lambda: len(private_engine.names(autoscaler_pool="work")) == 2, 30)
        begun = private_engine.names(autoscaler_pool="work")

        os.kill(private_engine.process, signal.SIGSTOP)
        until(lambda: not fleet(house)["up"], 20)
        ticks = house.ticks()
        until(lambda: house.ticks() > ticks + 2, 10)  # the loop goes on, and says what it cannot see
        os.kill(private_engine.process, signal.SIGCONT)
        until(lambda: fleet(house)["up"], 20)
        assert private_engine.names(autoscaler_pool="work") == begun

        os.kill(private_engine.process, signal.SIGKILL)
        until(lambda: not fleet(house)["up"], 20)
        run_script("up", private_engine.folder, "--private")
        until(lambda: private_engine.names(autoscaler_pool="work") - begun, 30)
        told = httpx.get(f"{house.url}/api/v1/pools/work", timeout=5, trust_env=False).json()
        assert told["memory"]["failures"] == 0  # they were not to blame: nothing waits
        until(lambda: not private_engine.names(running=False, autoscaler_pool="work") & begun, 30)
        assert private_engine.names(running=False, of="somebody") == {"foreign"}
        assert house.redis.llen("work") == 8
    finally:
        house.close()


def fleet(house: House) -> dict[str, object]:
    """How the engine answers, as the status tells it."""
    return next(source for source in house.status()["sources"] if source["source"] == "fleet")
