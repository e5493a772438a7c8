"""The Docker fleet on a real engine: what only an engine can show."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import docker
import pytest
from engines import IMAGE, docker_worker
from live import until

from autoscaler.config.worker import WorkerSpec
from autoscaler.errors import StartRefused
from autoscaler.fleet.contract import replica_environment
from autoscaler.fleet.docker import DockerFleet
from autoscaler.model import Container, ContainerState

pytestmark = pytest.mark.engine


@pytest.fixture
def start(docker_fleet: DockerFleet) -> Callable[[WorkerSpec], Container]:
    """Starts a worker of pool `web` under a fresh name and gives it as listed."""

    def begin(worker: WorkerSpec) -> Container:
        name = f"test-web-{uuid.uuid4().hex[:6]}"
        docker_fleet.start(name, "web", worker, replica_environment(name, "web", "redis://broker/0"))
        return next(c for c in docker_fleet.containers() if c.name == name)

    return begin


@pytest.fixture
def two_networks(docker_client: docker.APIClient) -> Iterator[list[str]]:
    """Names of two networks of the engine, for one test."""
    names = [f"test-{uuid.uuid4().hex[:8]}" for _ in range(2)]
    for name in names:
        docker_client.create_network(name)
    yield names
    for name in names:
        for container in docker_client.inspect_network(name)["Containers"]:
            docker_client.disconnect_container_from_network(container, name, force=True)
        docker_client.remove_network(name)


def ended(fleet: DockerFleet, container: Container) -> Container:
    """The container once it has ended."""
    until(lambda: {c.id: c.state for c in fleet.containers()}[container.id] is ContainerState.EXITED, 20)
    return next(c for c in fleet.containers() if c.id == container.id)


def test_a_whole_life(docker_fleet: DockerFleet, start: Callable[[WorkerSpec], Container]) -> None:
    """A worker is started, told to leave, takes its moment, ends with 0 and is removed without a trace."""
    container = start(docker_worker())
    assert (container.pool, container.state) == ("web", ContainerState.RUNNING)

    docker_fleet.stop(container.id)

    assert ended(docker_fleet, container).exit_code == 0
    assert docker_fleet.remove(container.id).code == 0
    assert docker_fleet.containers() == ()


def test_own_stop_signal(docker_fleet: DockerFleet, start: Callable[[WorkerSpec], Container]) -> None:
    """The signal that the file names is the one that is sent, by a daemon that came later too."""
    program = "trap 'exit 7' USR1; trap 'exit 8' TERM; while :; do sleep 0.05; done"
    container = start(docker_worker(command=["sh", "-c", program], stop_signal="SIGUSR1"))
    later = DockerFleet(docker_fleet._engine.host, docker_fleet._instance, timeout_seconds=20)

    later.stop(container.id)

    assert ended(later, container).exit_code == 7


def test_out_of_memory(docker_fleet: DockerFleet, start: Callable[[WorkerSpec], Container]) -> None:
    """A worker that outgrows its memory is killed by the kernel, and the record says that it was memory.

    It waits a moment first: the engine begins to watch a container's memory only after its start.
    """
    limits = {"resources": {"limits": {"memory": "16m"}}}
    container = start(docker_worker(command=["sh", "-c", "sleep 0.5; exec tail /dev/zero"], init=False, deploy=limits))

    ended(docker_fleet, container)
    end = docker_fleet.remove(container.id)

    assert (end.code, end.oom) == (137, True)


def test_last_words(docker_fleet: DockerFleet, start: Callable[[WorkerSpec], Container]) -> None:
    """The last twenty lines of both streams are kept; the engine reads the two apart, so only time orders them."""
    container = start(docker_worker(command=["sh", "-c", "for i in `seq 30`; do echo line $i; done; sleep 0.3; echo oh no >&2; exit 3"]))

    ended(docker_fleet, container)
    end = docker_fleet.remove(container.id)

    assert (end.code, len(end.log_tail)) == (3, 20)
    assert {"line 30", "oh no"} <= set(end.log_tail)


def test_what_the_engine_was_told(docker_client: docker.APIClient, start: Callable[[WorkerSpec], Container]) -> None:
    """Limits, names, labels and environment are in force, not only sent."""
    limits = {"resources": {"limits": {"cpus": 0.5, "memory": "64m", "pids": 32}}}
    worker = docker_worker(
        deploy=limits, user="65534:65534", read_only=True, tmpfs=["/tmp"], shm_size="32m", cap_drop=["ALL"], stop_grace_period="90s"
    )

    container = start(worker)

    seen = docker_client.inspect_container(container.id)
    config, host = seen["Config"], seen["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["PidsLimit"], host["ShmSize"]) == (500_000_000, 2**26, 32, 2**25)
    assert (config["Hostname"], config["User"], config["StopTimeout"]) == (container.name, "65534:65534", 90)
    assert (host["ReadonlyRootfs"], host["Init"], host["CapDrop"], host["RestartPolicy"]["Name"]) == (True, True, ["ALL"], "no")
    assert f"CELERY_WORKER_HOSTNAME=celery@{container.name}" in config["Env"]
    assert config["Labels"]["autoscaler.spec"] == worker.hash == container.spec


def test_several_networks(
    docker_client: docker.APIClient, start: Callable[[WorkerSpec], Container], two_networks: list[str]
) -> None:
    """A worker joins all its networks, and its page is looked for in the first."""
    container = start(docker_worker(network_mode=None, networks=two_networks, metrics_port=9100))

    joined = docker_client.inspect_container(container.id)["NetworkSettings"]["Networks"]
    assert set(joined) == set(two_networks)
    assert container.metrics == f"{joined[two_networks[0]]['IPAddress']}:9100"


def test_foreign_containers(
    docker_fleet: DockerFleet, docker_client: docker.APIClient, make_docker_fleet: Callable[[], DockerFleet]
) -> None:
    """A container without our label, or of another instance, is not listed."""
    made = docker_client.create_container(IMAGE, ["true"], labels={"autoscaler.pool": "web"})
    other = make_docker_fleet()
    other.start(f"test-web-{uuid.uuid4().hex[:6]}", "web", docker_worker(), {})

    try:
        assert docker_fleet.containers() == ()
        assert len(other.containers()) == 1
    finally:
        docker_client.remove_container(made["Id"])


def test_name_of_a_foreign_container(docker_fleet: DockerFleet, docker_client: docker.APIClient) -> None:
    """A name that somebody else has is refused, and that container stays as it is."""
    name = f"test-web-{uuid.uuid4().hex[:6]}"
    made = docker_client.create_container(IMAGE, ["true"], name=name)

    try:
        with pytest.raises(StartRefused, match="taken by a container that is not a worker"):
            docker_fleet.start(name, "web", docker_worker(), {})
        assert docker_client.inspect_container(made["Id"])["State"]["Status"] == "created"
    finally:
        docker_client.remove_container(made["Id"])


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        pytest.param({"image": "nobody/nothing:1"}, "image nobody/nothing:1 is not on the Docker host", id="image"),
        pytest.param({"networks": ["no-such-network"]}, "network does not exist", id="network"),
        pytest.param({"networks": ["bridge", "no-such-network"]}, "network does not exist", id="second network"),
        pytest.param({"command": ["/no/such/program"], "init": False}, "no such file", id="command"),
        pytest.param({"deploy": {"resources": {"limits": {"memory": "1m"}}}}, "memory", id="memory below the engine's minimum"),
    ],
)
def test_refused_start_leaves_nothing(
    docker_fleet: DockerFleet, docker_client: docker.APIClient, keys: dict[str, object], text: str
) -> None:
    """Whatever the engine refuses, no container is left behind, and the text says what was wrong."""
    with pytest.raises(StartRefused, match=text):
        docker_fleet.start("test-web-refused", "web", docker_worker(**{"network_mode": None, **keys}), {})

    assert docker_client.containers(all=True, filters={"name": "test-web-refused"}) == []


def test_check(docker_fleet: DockerFleet, docker_client: docker.APIClient) -> None:
    """A worker that would start has no problems; one that would not has each of them named; nothing is made by asking."""
    before = docker_client.containers(all=True, quiet=True)
    bad = docker_worker(image="nobody/nothing:1", network_mode=None, networks=["no-such-network"])

    problems = docker_fleet.check({"good": docker_worker(), "bad": bad})

    assert [text.split(":")[0] for text in problems] == ["pool bad", "pool bad"]
    assert before == docker_client.containers(all=True, quiet=True)


def test_an_image_of_another_content(docker_fleet: DockerFleet, docker_client: docker.APIClient) -> None:
    """A tag that was built anew tells of the workers that still run the old image, in the list itself, without another request."""
    tag = f"test-{uuid.uuid4().hex[:8]}"
    docker_client.tag(IMAGE, tag, "1")
    worker = docker_worker(image=f"{tag}:1")
    old, new = (f"test-web-{uuid.uuid4().hex[:6]}" for _ in range(2))
    docker_fleet.start(old, "web", worker, {})
    assert not docker_fleet.containers()[0].image_moved

    changed = docker_client.create_container(IMAGE, ["true"])
    docker_client.commit(changed["Id"], tag, "1", changes='LABEL changed="yes"')
    docker_client.remove_container(changed["Id"])
    docker_fleet.start(new, "web", worker, {})

    assert {c.name: c.image_moved for c in docker_fleet.containers()} == {old: True, new: False}
    for container in docker_fleet.containers():
        docker_client.remove_container(container.id, force=True)
    docker_client.remove_image(f"{tag}:1", force=True)
