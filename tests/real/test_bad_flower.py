"""Flower answers badly while workers are busy: no worker is stopped, the loop ticks on time, the status says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bad_flower import BadFlower
from house import House, a_pool, wait
from live import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

SECONDS = 6.0
STALE_SECONDS = 15.0
"""Each fault lasts longer than the stabilization window of these pools (3 s); old answers show only after five missed heartbeats."""


@pytest.fixture
def door(house: House) -> Iterator[BadFlower]:
    """A Flower that can be told to misbehave."""
    house.start_flower()
    made = BadFlower(house.flower_port)
    yield made
    made.close()


def test_no_fault_of_flower_stops_a_worker(house: House, door: BadFlower) -> None:
    """Seven ways to answer badly, one after the other, over three busy workers; Flower is the only source.

    The queue is `celery`, because that is the one that a Flower started with `--broker` alone lists.
    """

    def configure(least: int) -> None:
        pool = a_pool("celery", most=3, pages=False, replicas={"min": least, "max": 3})
        house.write({"p": pool}, brokers=False, flower=f"http://127.0.0.1:{door.port}")

    configure(least=3)
    house.start_daemon()
    until(lambda: house.pool("p")["replicas"]["ready"] == 3, 60)
    house.send("celery", 3, 15.0 + STALE_SECONDS + (SECONDS + 2) * len(BadFlower.MODES))
    until(lambda: house.pool("p")["busy"] == 3, 30)
    configure(least=0)
    before = house.pids()

    for mode in BadFlower.MODES:
        door.mode, ticks = mode, house.ticks()
        lasting = STALE_SECONDS if mode == "stale" else SECONDS
        wait(lasting)
        status, pool = house.status(), house.pool("p")
        door.mode = "well"
        assert house.ticks() - ticks >= lasting - 2, f"{mode}: the loop did not tick on time"
        assert any("flower" in text.lower() for text in status["trouble"]), f"{mode}: {status['trouble']}"
        assert not pool["replicas"]["draining"], f"{mode}: a busy worker was told to leave"
        assert before == house.pids(), f"{mode}: a worker was stopped"
        wait(2)
    house.until_done(3, 60)
    assert {1} == set(house.traces("finished").values())
    house.until_empty(40)
