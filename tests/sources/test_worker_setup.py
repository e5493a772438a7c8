"""How workers are set up: told by real ones, judged by what it costs."""

from __future__ import annotations

import asyncio
import urllib.request
from typing import Any

import pytest
from live import Workers

from autoscaler.config.pools import PoolSettings
from autoscaler.model import Container, ContainerState
from autoscaler.sources.worker_setup import Setup, setups, told_by, warnings

THRIFTY = {"kombu": "5.7.0", "gossip": "off", "mingle": "off", "heartbeat": "off", "remote_control": "off", "polling_interval": "30"}


def a_pool(**worker: Any) -> PoolSettings:
    """A pool whose worker is started by a script."""
    settings = {"image": "x", "command": "/start.sh", "stop_grace_period": "40s", **worker}
    return PoolSettings.model_validate({"queues": ["a"], "replicas": {"max": 1}, "worker": settings})


@pytest.mark.parametrize(
    ("told", "worker", "billed", "words"),
    [
        pytest.param({}, {}, True, [], id="thrifty"),
        pytest.param({"kombu": "5.5.4"}, {}, False, ["kombu 5.5.4, where polling_interval has no effect"], id="deaf kombu"),
        pytest.param({"kombu": "5.5.4", "polling_interval": ""}, {}, False, [], id="deaf kombu that nobody asks"),
        pytest.param({"polling_interval": ""}, {}, True, ["set polling_interval 30"], id="asks each second"),
        pytest.param({}, {"stop_grace_period": "10s"}, False, ["takes up to 30 s to leave"], id="killed while it waits"),
        pytest.param({"visibility_timeout": "600"}, {}, False, ["may take 30m to leave, and after 10m"], id="visibility"),
        pytest.param({"gossip": "on", "mingle": "on"}, {}, False, ["--without-gossip --without-mingle"], id="talk"),
        pytest.param({"mingle": "on"}, {"command": "celery worker"}, False, [], id="talk that the file shows"),
        pytest.param({"heartbeat": "on", "remote_control": "on"}, {}, False, [], id="nothing is billed"),
        pytest.param({"heartbeat": "on", "remote_control": "on"}, {}, True, ["--without-heartbeat", "worker_enable_remote"], id="billed"),
        pytest.param({"polling_interval": "often", "kombu": ""}, {}, False, [], id="nonsense"),
    ],
)
def test_what_a_setup_costs_names_what_to_change(told: Setup, worker: dict[str, Any], billed: bool, words: list[str]) -> None:
    """One line each, and no other."""
    found = list(warnings({**THRIFTY, **told}, a_pool(**worker), billed=billed))

    assert len(found) == len(words)
    assert [word for word, said in zip(words, found, strict=True) if word not in said] == []


@pytest.mark.real
def test_a_real_worker_tells_its_setup(workers: Workers) -> None:
    """Flags, transport options and the kombu that it really runs; a page that is silent is passed over."""
    options = '{"polling_interval": 7, "visibility_timeout": 600}'
    worker = workers.start("-P", "solo", "--without-heartbeat", env={"WORKAPP_OPTIONS": options})
    dead = Container("0", "dead", "a", ContainerState.RUNNING, 0.0, "spec", metrics="127.0.0.1:1")
    alive = Container("1", "alive", "a", ContainerState.RUNNING, 0.0, "spec", metrics=f"127.0.0.1:{worker.port}")

    ((name, told),) = asyncio.run(setups([dead, alive])).values()

    import kombu

    assert name == "alive"
    assert told == {**THRIFTY, "kombu": kombu.__version__, "remote_control": "on", "polling_interval": "7", "visibility_timeout": "600"}
    with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/metrics", timeout=5) as page:
        assert told_by(page.read().decode()) == told
