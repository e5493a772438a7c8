"""docker-compose.yml brought up for real: the sample configuration, our image, the socket proxy, workers in containers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stack import ALL_PROFILES, Host, Stack

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]


@pytest.mark.parametrize("profiles", [(), ("--profile", "monitoring"), ("--profile", "example"), ALL_PROFILES])
def test_compose_accepts_every_profile(host: Host, profiles: tuple[str, ...]) -> None:
    """The file is valid to Compose itself, with and without its optional parts."""
    services = json.loads(host.docker("compose", *profiles, "config", "--format", "json"))["services"]

    assert {"redis", "flower", "socket-proxy", "autoscaler"} <= services.keys()


def test_a_load_starts_workers_that_leave_again(stack: Stack) -> None:
    """Tasks of the example app are all done by workers that were started for them, and afterwards none is left."""
    assert stack.workers() == []

    said = stack.compose("run", "--rm", "--no-deps", "example", "python", "load.py", "--tasks", "24", "--concurrent", "24")

    assert said.startswith("24 of 24 tasks came back")
    stack.until(lambda: not stack.workers(), 60)
    actions = counted(stack, "autoscaler_actions_total")
    assert actions['action="start",outcome="done",pool="default"'] >= 2
    assert actions['action="drain",outcome="done",pool="default"'] >= actions['action="start",outcome="done",pool="default"']
    assert actions['action="kill",outcome="done",pool="default"'] == 0
    assert replicas(stack, "drain") == replicas(stack, "start")


def replicas(stack: Stack, kind: str) -> set[str]:
    """Names of the workers to which that was done, each once: a drain whose signal came to nothing is sent again, and counted again."""
    page = json.loads(stack.fetch("http://127.0.0.1:8090/api/v1/pools/default/decisions?limit=1000"))
    outcomes = [outcome for decision in page["decisions"] for outcome in decision["outcomes"]]
    return {outcome["action"]["replica"] for outcome in outcomes if outcome["action"]["kind"] == kind and outcome["result"] == "done"}


def counted(stack: Stack, name: str) -> dict[str, float]:
    """The samples of one metric, by labels in alphabetical order."""
    found = {}
    for line in stack.fetch("http://127.0.0.1:8090/metrics").splitlines():
        if line.startswith(f"{name}{{"):
            labels, _, value = line.removeprefix(f"{name}{{").rpartition("} ")
            found[",".join(sorted(labels.split(",")))] = float(value)
    return found


def test_every_neighbour_answers(stack: Stack) -> None:
    """Through the compose network the autoscaler sees Flower, the broker and, through the proxy, the engine."""
    everybody = {"flower": True, "broker:primary": True, "workers": True, "fleet": True}

    stack.until(lambda: {source["source"]: source["up"] for source in stack.status()["sources"]} == everybody, 20)
    assert stack.inside("autoscaler", "check").count("FAIL") == 0


def test_flower_lists_the_queues_before_any_worker_came(stack: Stack) -> None:
    """Flower is started so that it knows the queues of config.yaml by itself."""
    listed = json.loads(stack.fetch("http://flower:5555/api/queues/length"))["active_queues"]

    assert {queue["name"] for queue in listed} >= {"default"}


def test_an_edit_is_in_force_although_the_file_was_replaced(stack: Stack) -> None:
    """The folder is mounted, so a new file renamed over the old one is read by the next tick."""

    def raised(settings: dict[str, Any]) -> None:
        settings["pools"]["reports"]["replicas"]["max"] = 2

    before = stack.status()["config"]["hash"]
    stack.configure(raised)

    stack.until(lambda: stack.pool("reports")["max"] == 2, 10)
    assert stack.status()["config"]["hash"] != before


ASK = """
import http.client, sys
engine = http.client.HTTPConnection("socket-proxy", 2375, timeout=5)
engine.request(sys.argv[1], sys.argv[2])
print(engine.getresponse().status)
"""


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/containers/{proxy}/exec"),
        ("POST", "/v1.44/containers/{proxy}/restart"),
        ("GET", "/containers/{proxy}/archive?path=/etc/passwd"),
        ("POST", "/containers/prune"),
        ("GET", "/volumes"),
        ("PUT", "/containers/{proxy}/archive?path=/"),
    ],
)
def test_the_proxy_refuses_what_scaling_does_not_need(stack: Stack, method: str, path: str) -> None:
    """Even from the autoscaler's own container."""
    answer = stack.inside("python3", "-c", ASK, method, path.format(proxy=f"{stack.name}-socket-proxy-1"))

    assert answer in ("403", "405")


def test_workers_cannot_reach_the_proxy(stack: Stack) -> None:
    """What runs in the workers' network does not even find the proxy's name."""
    look = "import socket\ntry: socket.create_connection(('socket-proxy', 2375), 3)\nexcept OSError as error: print(type(error).__name__)"
    network = ("run", "--rm", "--network", stack.name, "--entrypoint", "python3")

    assert stack.host.docker(*network, "autoscaler-test/worker:1", "-c", look) == "gaierror"


def test_the_daemon_has_no_rights(stack: Stack) -> None:
    """It is nobody's user, cannot write but to its state, has no capability, and cannot gain one."""
    container = stack.compose("ps", "--quiet", "autoscaler")
    found = json.loads(stack.host.docker("inspect", container))[0]

    assert stack.inside("id", "-u") == "10001"
    assert found["HostConfig"]["ReadonlyRootfs"] is True
    assert found["HostConfig"]["CapDrop"] == ["ALL"]
    assert not any(mount["Source"].endswith("docker.sock") for mount in found["Mounts"])
    proc = stack.inside("cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in proc
    assert "NoNewPrivs:\t1" in proc
    assert "journal" in stack.inside("ls", "/var/lib/autoscaler")


def test_it_stops_at_once_and_finds_its_workers_again(stack: Stack) -> None:
    """`docker compose stop` ends the daemon with exit code 0 and leaves busy workers alone; the next start adopts them."""
    load = ("python", "load.py", "--tasks", "2", "--concurrent", "2", "--duration", "60")
    stack.compose("run", "--detach", "--rm", "--no-deps", "example", *load)
    stack.until(lambda: stack.pool("default")["busy"] == 2, 30)
    busy = stack.workers()

    stack.compose("stop", "autoscaler", seconds=20)
    container = stack.compose("ps", "--all", "--quiet", "autoscaler")
    assert json.loads(stack.host.docker("inspect", container))[0]["State"]["ExitCode"] == 0
    assert stack.workers() == busy

    stack.compose("up", "--detach", "--wait", "autoscaler")
    stack.until(lambda: stack.pool("default")["busy"] == 2, 15)
    assert stack.workers() == busy
    assert "from the journal" in stack.compose("logs", "autoscaler")
