"""What the tests of the deployment stand on: an engine with Compose, stand-in images, and the stack itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack import ENGINE, Host, Stack, make_stand_ins, run


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The engine that the environment names, the machine's own, or a private one; with Compose."""
    named = os.environ.get("AUTOSCALER_TEST_DOCKER_HOST")
    folder = tmp_path_factory.mktemp("engine")
    try:
        host = Host(named or run(ENGINE / "up", folder), None if named else folder)
        host.docker("compose", "version")
    except RuntimeError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    yield host
    if not named:
        run(ENGINE / "down", folder)


@pytest.fixture(scope="session")
def images(host: Host) -> Host:
    """The engine, with stand-ins for every image that would be pulled."""
    make_stand_ins(host)
    return host


@pytest.fixture(scope="session")
def stack(images: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything of docker-compose.yml that needs no other image, up and healthy."""
    folder: Path = tmp_path_factory.mktemp("etc")
    folder.chmod(0o755)  # the daemon in the container is somebody else
    stack = Stack(images, folder)
    stack.configure()
    stack.compose("--profile", "example", "build")
    try:
        stack.compose("up", "--detach", "--wait")
        yield stack
    finally:
        stack.down()
