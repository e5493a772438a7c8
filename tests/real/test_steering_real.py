"""A hand on the wheel, on real parts: the daemon as a user starts it, steered through the command line as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from house import House, a_pool, wait
from live import HERE, ROOT, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


TOKEN = "a-token-that-nobody-can-guess-0123456789"


def told(house: House, *words: str) -> str:
    """`autoscaler ... -c config.yaml`, and what it says."""
    env = {**os.environ, "LOGNAME": "anna"}
    command = [sys.executable, "-m", "autoscaler", *words, "-c", str(house.config)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=env)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def orders(house: House) -> list[dict[str, Any]]:
    """What stands, as the status has it."""
    return house.pool("p")["orders"]


def test_a_pool_is_paused_scaled_drained_and_resumed(house: House) -> None:
    """Each order does what it says within a tick or two, outlives a `kill -9` with its expiry, and stands in the history with its why."""
    (house.folder / "ops").write_text(TOKEN)
    house.write({"p": a_pool("p", most=3)}, flower="http://127.0.0.1:1", api={"listen": f"127.0.0.1:{house.port}", "token_file": "ops"})
    house.start_daemon()

    # Growth is held, and still is after the daemon was killed: with the same end.
    told(house, "pause", "p", "--direction", "up", "--for", "1h", "--why", "the database is moved")
    until(lambda: orders(house), 10)
    (before,) = orders(house)
    house.send("p", 2, 0.1)
    house.kill_daemon()
    house.start_daemon()
    (after,) = orders(house)
    wait(2.5)
    assert (after["until"], after["why"]) == (before["until"], "the database is moved")
    assert not house.pids()
    assert "pause" in told(house, "explain", "p")

    # Resumed, the work is done.
    told(house, "resume", "p")
    house.until_done(2, 40)

    # A count is kept without any work, also when one of the workers is sent home by name.
    told(house, "scale", "p", "2", "--for", "1h", "--why", "a launch")
    until(lambda: house.pool("p")["replicas"]["ready"] == 2, 40)
    leaving = next(worker["name"] for worker in house.pool("p")["workers"] if worker["phase"] == "ready")
    told(house, "drain", leaving, "--why", "it leaks")
    until(lambda: leaving not in house.pids(), 40)
    until(lambda: house.pool("p")["replicas"]["ready"] == 2, 40)

    # All are sent home, while work waits, and none comes back until the pool is resumed.
    told(house, "drain", "p", "--why", "the host is patched")
    house.until_empty(40)
    house.send("p", 1, 0.1, first=10)
    wait(2.5)
    assert not house.pids()
    told(house, "wake", "p", "--count", "1")
    told(house, "resume", "p", "--why", "patched")
    house.until_done(3, 40)
    told(house, "reload")

    history = [row for row in json.loads(told(house, "history", "--format", "json", "--limit", "500")) if row["type"] == "order"]
    assert [row["kind"] for row in history] == ["pause", "resume", "scale", "drain", "drain", "wake", "resume", "reload"]
    whys = ["the database is moved", "a launch", "it leaks", "the host is patched", "patched"]
    assert [row["why"] for row in history if row["why"]] == whys
    assert all(row["by"].startswith("anna@") and "(token ops, 127.0.0.1)" in row["by"] for row in history)
    assert {1} == set(house.traces("started").values())


PRODUCER = """
import sys
from autoscaler.contrib.celery import wake_on_publish
from taskapp import app, work
wake_on_publish(app, sys.argv[1], token_file=sys.argv[2])
work.apply_async((0, 0.1), queue="p")
"""


@pytest.mark.parametrize(
    ("seen", "pace"),
    [
        pytest.param(True, {"idle_interval": "10m"}, id="a queue that can be seen"),
        pytest.param(False, {"interval": "5m"}, id="blind"),
    ],
)
def test_a_wake_does_not_wait_for_the_next_look(house: House, seen: bool, pace: dict[str, str]) -> None:
    """A daemon that sleeps for minutes starts a worker when a producer has published, blind or not."""
    (house.folder / "wake").write_text(TOKEN)
    api = {"listen": f"127.0.0.1:{house.port}", "wake_token_file": "wake"}
    house.write({"p": a_pool("p")}, brokers=seen, flower="http://127.0.0.1:1", api=api, **pace)
    house.start_daemon()
    until(lambda: sleeps(house), 30)

    env = {**os.environ, "PYTHONPATH": f"{HERE / 'real'}{os.pathsep}{ROOT}", "CELERY_BROKER_URL": house.redis_url}
    subprocess.run([sys.executable, "-c", PRODUCER, house.url, house.folder / "wake"], env=env, check=True, timeout=30)

    house.until_done(1, 60)
    assert len(house.pids()) == 1


def sleeps(house: House) -> bool:
    """Whether no look was made for two of the usual intervals."""
    before = house.ticks()
    wait(2.2)
    return house.ticks() == before
