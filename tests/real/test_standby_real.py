"""Two daemons on one state folder: one acts, the other waits, and takes over when the first is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from house import ROOT, House, a_pool, free_port, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@contextmanager
def standing_by(house: House) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A second daemon on the same state folder, with an address of its own, as soon as it answers."""
    port = free_port()
    config = house.folder / "standby.yaml"
    config.write_text(house.config.read_text().replace(f"127.0.0.1:{house.port}", f"127.0.0.1:{port}"))
    with (house.folder / "standby.log").open("ab") as log:
        command = [sys.executable, "-m", "autoscaler", "run", "--standby", "-c", str(config)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answered(url, "/healthz") == 200, 20)
        yield url, process
    finally:
        process.kill()
        process.wait(10)


def answered(url: str, path: str) -> int:
    """The status code of an answer, 0 where there is none."""
    try:
        return httpx.get(f"{url}{path}", timeout=5, trust_env=False).status_code
    except httpx.HTTPError:
        return 0


def status(url: str) -> dict[str, Any]:
    """What this daemon says of itself."""
    return httpx.get(f"{url}/api/v1/status", timeout=5, trust_env=False).json()


def in_charge(url: str) -> bool:
    """Whether this daemon has decided something."""
    return answered(url, "/readyz") == 200


def test_the_second_takes_over_when_the_first_is_killed(house: House) -> None:
    """It says that it stands by, acts on nothing, and after `kill -9` keeps the workers, what is remembered, and every task."""
    house.write({"p": a_pool("p", most=2)})
    house.start_daemon()
    with standing_by(house) as (url, second):
        house.send("p", 2, 6.0)
        until(lambda: house.pool("p")["replicas"]["ready"] == 2, 30)
        workers, learned = house.pids(), house.pool("p")["arrivals_per_second"]

        told = status(url)
        assert told["standby"] == f"standby: another instance (process {house.daemon.pid}) is in charge, this one takes over when it ends"
        assert (told["last_tick_at"], told["trouble"]) == (None, [])
        assert "autoscaler_standby 1.0\n" in httpx.get(f"{url}/metrics", trust_env=False).text
        assert [answered(url, path) for path in ("/readyz", "/api/v1/history?pool=p")] == [503, 503]
        assert second.poll() is None

        house.daemon.send_signal(signal.SIGSTOP)
        time.sleep(1.0)
        assert status(url)["standby"], "one that hangs may go on at any moment, so nobody takes over"
        house.daemon.send_signal(signal.SIGCONT)

        house.kill_daemon()
        began = time.monotonic()
        until(lambda: in_charge(url), 20)
        print(f"taken over and first look made after {time.monotonic() - began:.2f} s")

        assert (status(url)["standby"], learned is not None) == (None, True)
        assert house.pids() == workers
        assert "memory from the journal" in (house.folder / "standby.log").read_text().replace('": "', " ").replace('"', "")
        house.until_done(2, 30)
        second.send_signal(signal.SIGTERM)
        assert second.wait(10) == 0
