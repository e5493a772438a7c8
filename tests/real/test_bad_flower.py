"""Flower answers badly while workers are busy: no worker is stopped, the loop ticks on time, the status says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bad_flower import BadFlower
from house import House, a_pool, wait
from live import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

SECONDS = 8.0
"""Each fault lasts longer than the stabilization window of these pools (3 s)."""


@pytest.fixture
def door(house: House) -> Iterator[BadFlower]:
    """A Flower that can be told to misbehave."""
    house.start_flower()
    made = BadFlower(house.flower_port)
    yield made
    made.close()


def test_no_fault_of_flower_stops_a_worker(house: House, door: BadFlower) -> None:
    """Seven ways to answer badly, one after the other, over three busy workers; Flower is the only source."""
    house.write({"p": a_pool("p", most=3, pages=False)}, brokers=False, flower=f"http://127.0.0.1:{door.port}")
    house.redis.sadd("_kombu.binding.p", "p\x06\x16\x06\x16p")
    house.start_daemon()
    house.write({"p": a_pool("p", most=3, pages=False, replicas={"min": 3, "max": 3})}, brokers=False, flower=f"http://127.0.0.1:{door.port}")
    until(lambda: house.pool("p")["replicas"].get("ready") == 3, 60)
    house.send("p", 3, 20.0 + SECONDS * len(BadFlower.MODES))
    until(lambda: house.pool("p")["busy"] == 3, 30)
    house.write({"p": a_pool("p", most=3, pages=False)}, brokers=False, flower=f"http://127.0.0.1:{door.port}")
    before = house.pids()

    for mode in BadFlower.MODES:
        door.mode = mode
        ticks = house.ticks()
        wait(SECONDS)
        status = house.status()
        assert house.ticks() - ticks >= SECONDS - 2, f"{mode}: the loop did not tick on time"
        assert mode == "stale" or any("flower" in text.lower() for text in status["trouble"]), f"{mode}: {status['trouble']}"
        assert not house.pool("p")["replicas"].get("draining"), f"{mode}: a busy worker was told to leave"
        assert before == house.pids(), f"{mode}: a worker was stopped"
        door.mode = "well"
        wait(2)
    house.until_done(3, 60)
    assert {1} == set(house.traces("finished").values())
    house.until_empty(40)
