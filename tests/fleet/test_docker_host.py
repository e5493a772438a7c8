"""What an engine says of its machine, and of what containers of others may take of it."""

from __future__ import annotations

from typing import Any

import docker
import pytest
from click.testing import CliRunner
from engines import IMAGE, docker_worker
from scripted_engine import PROXY_PAGE, Reply, Says, ScriptedEngine

from autoscaler.cli.commands import cli
from autoscaler.config.worker import WorkerSpec
from autoscaler.errors import FleetUnreachable
from autoscaler.fleet.docker import DockerFleet
from autoscaler.fleet.docker_spec import labels
from autoscaler.model import Host, Need

INFO, LIST = "GET /info", "GET /containers/json"
MACHINE = Says(200, {"MemTotal": 8 * 2**30, "NCPU": 4})


def an_entry(key: str, **marks: str) -> dict[str, Any]:
    """A running container with these labels."""
    return {"Id": key, "Labels": {f"autoscaler.{name}": value for name, value in marks.items()}}


def limited(megabytes: int) -> Says:
    """What the engine tells about a container with this limit."""
    return Says(200, {"HostConfig": {"Memory": megabytes * 2**20}})


def test_others_are_counted_by_their_limits(scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
    """Each foreign container is inspected once; ours, and workers of another autoscaler, tell by their labels."""
    ours, other = an_entry("o", instance="main", pool="web"), an_entry("x", instance="x", memory=str(2**30), cpus="1")
    scripted.on(INFO, MACHINE)
    scripted.on(LIST, Says(200, [ours, other, an_entry("db"), an_entry("free"), {"Id": "gone", "Labels": None}]))
    scripted.on("GET /containers/db/json", limited(512))
    scripted.on("GET /containers/free/json", limited(0))

    seen = [scripted_fleet.host() for _ in range(2)]

    assert [Host(8 * 2**30, 4, 2**30 + 2**29)] * 2 == seen
    assert [f"GET /containers/{key}/json" for key in ("db", "free", "gone")] == [q for q in scripted.questions if q.endswith("/json")][1:4]
    assert scripted.questions[-2:] == [INFO, LIST]


def test_who_has_left_is_forgotten(scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
    """Its memory is free again."""
    scripted.on(INFO, MACHINE)
    scripted.on(LIST, Says(200, [an_entry("db")]), Says(200, []))
    scripted.on("GET /containers/db/json", limited(512))

    assert [2**29, 0] == [scripted_fleet.host().others_bytes for _ in range(2)]


@pytest.mark.parametrize("reply", [Says(403, PROXY_PAGE), Says(500, {"message": "no"}), Says(200, {"NCPU": 4}), Says(200, b"<html>")])
def test_a_machine_that_is_not_shown_is_unknown(scripted: ScriptedEngine, scripted_fleet: DockerFleet, reply: Reply) -> None:
    """A proxy that forbids it, or an answer that is none, is not a machine without memory."""
    scripted.on(INFO, reply)

    with pytest.raises(FleetUnreachable):
        scripted_fleet.host()


def test_an_engine_that_does_not_know(scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
    """Zero memory is no measurement."""
    scripted.on(INFO, Says(200, {"MemTotal": 0, "NCPU": 4}))

    assert scripted_fleet.host() is None


def test_hidden_containers_keep_the_machine(scripted: ScriptedEngine, scripted_fleet: DockerFleet) -> None:
    """Where others cannot be inspected, the machine alone is known."""
    scripted.on(INFO, MACHINE)
    scripted.on(LIST, Says(200, [an_entry("db")]))
    scripted.on("GET /containers/db/json", Says(403, PROXY_PAGE))

    assert Host(8 * 2**30, 4) == scripted_fleet.host()


@pytest.mark.parametrize(
    ("resources", "need"),
    [
        ({"limits": {"memory": "1g", "cpus": 1}}, Need(2**30, 1.0)),
        ({"limits": {"memory": "1g", "cpus": 1}, "reservations": {"cpus": 0.2}}, Need(2**30, 0.2)),
        ({"limits": {"memory": "1g"}, "reservations": {"memory": "256m", "cpus": 0}}, Need(2**28, 0.0)),
        ({}, Need()),
    ],
)
def test_what_a_worker_takes_is_on_its_labels(resources: dict[str, Any], need: Need) -> None:
    """What is reserved, else the limit; and every later list tells it again."""
    from autoscaler.fleet.docker_entry import need_of

    worker = WorkerSpec.model_validate({"image": "app:1", "deploy": {"resources": resources}})

    assert need == worker.deploy.resources.need == need_of(labels("web", "main", worker))


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (MACHINE, ["ok    host: 8 GiB of memory, 4 CPUs", "warn  host: pools.web.replicas.max: 9 workers may take 9 GiB and 9 CPUs"]),
        (Says(403, PROXY_PAGE), ["warn  host: nobody tells how much room it has, so only counts limit the workers"]),
        (Says(200, {"MemTotal": 0, "NCPU": 0}), []),
    ],
)
def test_check_tells_of_the_room(scripted: ScriptedEngine, tmp_path: Any, info: Reply, words: list[str]) -> None:
    """How much there is, and which pool could never be as large as it may."""
    scripted.on(INFO, info)
    scripted.on(LIST, Says(200, []))
    config = tmp_path / "config.yaml"
    config.write_text(
        f"flower: {{url: 'http://127.0.0.1:9'}}\nfleet: {{host: '{scripted.host}'}}\nstate: {tmp_path}\n"
        "pools: {web: {queues: [web], replicas: {max: 9}, worker: {image: x, deploy: {resources: {limits: {memory: 1g, cpus: 1}}}}}}\n"
    )

    told = CliRunner().invoke(cli, ["check", "-c", str(config)]).stdout

    assert len(words) == sum(" host: " in line for line in told.splitlines())
    assert [text for text in words if text not in told] == []


@pytest.mark.engine
def test_a_real_machine(docker_fleet: DockerFleet, docker_client: docker.APIClient) -> None:
    """The engine's own numbers; a worker of ours is on none of them, a container of somebody else is."""
    worker = docker_worker(deploy={"resources": {"limits": {"cpus": 0.5, "memory": "64m"}, "reservations": {"memory": "32m"}}})
    before = docker_fleet.host()
    docker_fleet.start("test-web-room", "web", worker, {})
    (container,) = docker_fleet.containers()
    assert (Need(2**25, 0.5), before) == (container.need, docker_fleet.host())
    assert docker_client.inspect_container(container.id)["HostConfig"]["MemoryReservation"] == 2**25

    limit = docker_client.create_host_config(mem_limit=2**27)
    foreign = docker_client.create_container(IMAGE, ["sleep", "60"], host_config=limit)["Id"]
    try:
        docker_client.start(foreign)
        assert docker_fleet.host().others_bytes - before.others_bytes == 2**27
    finally:
        docker_client.remove_container(foreign, force=True)
