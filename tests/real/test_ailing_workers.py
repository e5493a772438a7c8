"""Workers that do not go as they should, on real parts, each named as the docs promise; and a changed one is rolled."""

from __future__ import annotations

import json
import sys
from typing import Any

import httpx
import pytest
from house import House, a_pool
from live import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

SOON = (
    "from autoscaler.policy import drains; drains.DEFIANT_SECONDS, drains.PLAIN_SECONDS = 2.0, 5.0; "
    "from autoscaler.cli.commands import cli; cli()"
)
"""The daemon, which does not wait most of a minute before it says what is wrong."""


def swallowing(house: House, queue: str) -> dict[str, Any]:
    """A pool whose worker stands behind a shell that takes the stop signal for itself, as one without `exec` does as a first process."""
    pool = a_pool(queue, most=1)
    script = house.folder / "entrypoint.sh"
    script.write_text(f"#!/bin/sh\ntrap : TERM\n{' '.join(pool['worker']['command'])}\n")
    script.chmod(0o755)
    pool["worker"]["command"] = [str(script)]
    return pool


def broken(queue: str) -> dict[str, Any]:
    """A pool whose worker cannot find its application."""
    pool = a_pool(queue, most=2)
    pool["worker"]["command"] = [word.replace("taskapp", "no_such_app") for word in pool["worker"]["command"]]
    return pool


def troubles(house: House, words: str) -> list[str]:
    """What the status says is wrong, as far as it has these words."""
    return [line for line in house.status()["trouble"] if words in line]


def test_ailing_workers_are_named_and_a_changed_one_is_rolled(house: House) -> None:
    """A swallowed signal, a start that fails and a new spec, side by side: none of them disturbs the others, and no task is lost."""
    house.start_flower()
    pools = {"deaf": swallowing(house, "deaf"), "broken": broken("broken"), "rolled": a_pool("rolled", replicas={"min": 1, "max": 2})}
    house.write(pools)
    house.start_daemon(command=(sys.executable, "-c", SOON))
    house.send("deaf", 1, 0.2)
    house.send("broken", 2, 0.2, first=10)
    until(lambda: house.pool("rolled")["replicas"]["ready"] == 1, 30)
    (old,) = [worker["name"] for worker in house.pool("rolled")["workers"]]

    house.send("rolled", 1, 5.0, first=20)
    until(lambda: house.traces("started")[20], 20)
    pools["rolled"]["worker"]["environment"]["RELEASE"] = "2"
    house.write(pools)
    until(lambda: house.pool("rolled")["reason"] == "Rolling" or len(house.pool("rolled")["workers"]) == 2, 15)
    until(lambda: old not in house.pids() and house.pool("rolled")["replicas"]["ready"] == 1, 40)
    assert {1: 1, 20: 1} == {1: house.traces("finished")[0], 20: house.traces("finished")[20]}

    until(lambda: troubles(house, "broken: workers ended badly"), 30)
    assert house.pool("broken")["reason"] == "BackingOff"
    page = httpx.get(f"{house.url}/metrics", timeout=5, trust_env=False).text
    assert 'autoscaler_worker_failures_total{pool="broken",reason="exit_nonzero"} 0.0' not in page
    ended = [json.loads(line) for line in house.log.splitlines() if '"worker_ended_badly"' in line]
    assert {"broken"} == {line["pool"] for line in ended}
    assert any("no_such_app" in text for line in ended for text in line["last_lines"])

    until(lambda: troubles(house, "the stop signal does not reach Celery"), 40)
    assert house.pool("deaf")["replicas"]["draining"] == 1
    assert '"drain_ailing"' in house.log
