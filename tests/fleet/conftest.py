"""What the fleet's tests run on: a Docker engine, a small image, and fleets that clean up after themselves."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from engines import IMAGE, run_script
from scripted_engine import Handler, ScriptedEngine, Server

from autoscaler.fleet.docker import DockerFleet


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test on an engine waits for it, the first one ever for its download too."""
    for item in items:
        if item.get_closest_marker("engine"):
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Docker engine: the one that the environment names, the machine's own, or a private one."""
    named = os.environ.get("AUTOSCALER_TEST_DOCKER_HOST")
    folder = str(tmp_path_factory.mktemp("engine"))
    try:
        host = named or run_script("up", folder)
    except RuntimeError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    run_script("image", "tools", IMAGE, DOCKER_HOST=host)
    yield host
    if not named:
        run_script("down", folder)


@pytest.fixture
def docker_client(engine: str) -> Iterator[docker.APIClient]:
    """A view of the engine that does not go through the code under test."""
    client = docker.APIClient(engine, timeout=20)
    yield client
    client.close()


@pytest.fixture
def make_docker_fleet(engine: str, docker_client: docker.APIClient) -> Iterator[Callable[[], DockerFleet]]:
    """Makes Docker fleets, each of an instance of its own, and removes their workers afterwards."""
    instances: list[str] = []

    def make() -> DockerFleet:
        instances.append(f"test-{uuid.uuid4().hex[:8]}")
        return DockerFleet(engine, instances[-1], timeout_seconds=20)

    yield make
    for instance in instances:
        for left in docker_client.containers(all=True, filters={"label": f"autoscaler.instance={instance}"}):
            docker_client.remove_container(left["Id"], force=True)


@pytest.fixture
def docker_fleet(make_docker_fleet: Callable[[], DockerFleet]) -> DockerFleet:
    """A Docker fleet of an instance that nobody else has."""
    return make_docker_fleet()


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[ScriptedEngine]:
    """An engine that answers what the test says, on a socket of its own."""
    engine = ScriptedEngine(tmp_path / "docker.sock")
    server = Server(str(engine.path), type("ScriptedHandler", (Handler,), {"engine": engine}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield engine
    engine.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def scripted_fleet(scripted: ScriptedEngine) -> DockerFleet:
    """A Docker fleet of instance `main` on the scripted engine."""
    return DockerFleet(scripted.host, "main", timeout_seconds=10)


@pytest.fixture
def impatient_fleet(scripted: ScriptedEngine) -> DockerFleet:
    """The same, waiting one second for an answer: for engines that never give one."""
    return DockerFleet(scripted.host, "main", timeout_seconds=1)
