"""The main job on real parts: a real Redis, a real Flower, real Celery workers, and the daemon as a user starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from house import FAST, House, a_pool, wait
from live import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(150)]


def test_grows_and_returns_to_zero(house: House) -> None:
    """Two pools, Flower started with `--broker` alone: both scale from zero, also the one whose queue Flower never lists."""
    house.start_flower()
    house.write({"mail": a_pool("mail", slots=2), "video": a_pool("video", most=3)})
    house.start_daemon()

    house.send("mail", 8, 1.0)
    until(house.pids, 15)
    house.send("video", 6, 1.0, first=100)
    house.until_done(14, 60)
    house.until_empty(40)

    assert {1} == set(house.traces("finished").values())
    assert "video" in {p["pool"] for p in house.status()["pools"] if p["desired"] == 0}


def test_leftovers_of_a_killed_worker_run(house: House) -> None:
    """The only worker is killed while it holds unacknowledged tasks and the lists are empty: a new one brings them back."""
    options = '{"visibility_timeout": 6, "unacked_restore_interval": 1}'
    house.start_flower()
    house.write({"p": a_pool("p", most=1, slots=2, transport=options)})
    house.start_daemon()
    house.send("p", 2, 8.0)
    until(lambda: len(house.traces("started")) == 2, 30)
    (pid,) = house.pids().values()

    os.killpg(pid, signal.SIGKILL)
    assert house.redis.llen("p") == 0

    house.until_done(2, 60)
    house.until_empty(60)


def test_lowered_max_loses_nothing(house: House) -> None:
    """Thirty tasks on five workers, then the file is edited so that four must go: all finish, each once."""
    house.start_flower()
    house.write({"p": a_pool("p", most=5)})
    house.start_daemon()
    house.send("p", 30, 3.0)
    until(lambda: len(house.traces("started")) >= 5, 30)

    house.write({"p": a_pool("p", most=1)})
    until(lambda: len(house.pids()) == 1, 30)
    house.write({"p": a_pool("p", most=5)})
    house.until_done(30, 90)

    assert {1} == set(house.traces("started").values())
    assert {1} == set(house.traces("finished").values())


@pytest.mark.parametrize("while_busy", [pytest.param(False, id="while it scales up"), pytest.param(True, id="while it drains")])
def test_kill_9_and_restart(house: House, while_busy: bool) -> None:
    """`kill -9` of the daemon and a restart change nothing for the workers: the same ones, none twice, none killed."""
    house.start_flower()
    house.write({"p": a_pool("p", most=4)})
    house.start_daemon()
    house.send("p", 4, 8.0)
    until(lambda: len(house.pids()) >= (4 if while_busy else 1), 30)
    if while_busy:
        until(lambda: len(house.traces("started")) == 4, 30)
        house.write({"p": a_pool("p", most=1)})
        until(lambda: house.pool("p")["replicas"].get("draining"), 15)
    house.kill_daemon()
    before = house.pids()

    house.start_daemon()
    house.until_done(4, 60)

    after = house.pids()
    assert all(before.get(name, pid) == pid for name, pid in after.items())
    assert len(set(before) | set(after)) == 4
    assert {1} == set(house.traces("started").values())
    house.until_empty(40)


def test_an_edit_is_in_force_or_refused_whole(house: House) -> None:
    """A broken edit is refused with its line while the old configuration works on; the mended one is in force at once."""
    house.write({"p": a_pool("p")}, flower="http://127.0.0.1:1")
    house.start_daemon()
    house.config.write_text(house.config.read_text().replace("max: 5", "max: many"))
    until(lambda: house.status()["config"]["problems"], 10)
    (problem,) = house.status()["config"]["problems"]
    line = house.config.read_text().splitlines().index("      max: many") + 1
    assert f"config.yaml:{line}:" in problem

    house.send("p", 1, 0.1)
    house.until_done(1, 30)
    house.write({"p": a_pool("p", most=2)}, flower="http://127.0.0.1:1")
    until(lambda: house.pool("p")["max"] == 2, 10)
    assert not house.status()["config"]["problems"]


def test_second_instance_is_refused(house: House) -> None:
    """Two daemons on one state folder never act both."""
    house.write({"p": a_pool("p", **FAST)})
    house.start_daemon()
    command = [sys.executable, "-m", "autoscaler", "run", "-c", str(house.config)]

    second = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)

    assert second.returncode == 75
    assert "another instance" in second.stderr


def test_sigterm_leaves_the_workers(house: House) -> None:
    """Stopping the daemon stops deciding, within five seconds and with exit code 0; the work goes on."""
    house.write({"p": a_pool("p")})
    house.start_daemon()
    house.send("p", 1, 6.0)
    until(lambda: house.traces("started"), 30)

    house.daemon.send_signal(signal.SIGTERM)

    assert house.daemon.wait(5) == 0
    wait(1)
    assert len(house.pids()) == 1
    house.until_done(1, 20)
