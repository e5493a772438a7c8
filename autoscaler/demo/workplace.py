"""Where the demo's workers run: as processes of this machine, or as containers of a Docker engine.

`stack.py` asks how a worker is described in `config.yaml`, under which address it reaches this machine, and through which
fleet the ones that are left are ended.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoscaler.demo.programs import DemoFailed
from autoscaler.fleet.contract import Fleet
from autoscaler.fleet.process import ProcessFleet

PACKAGE = Path(__file__).parents[1]
METRICS_PORT = 9100
EXAMPLE_IMAGE = "celery-worker-example:latest"
"""What workers of `--fleet docker` run in where no image is named: the one of examples/worker, which Compose builds, too."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """One kind of place for workers."""

    settings: dict[str, str]
    """The `fleet:` part of config.yaml."""
    address: str
    """Of this machine, as both the workers and the machine itself can reach it."""
    worker: dict[str, Any]
    """The `worker:` part of a pool, without its command."""
    python: str
    open: Callable[[Path, str], Fleet]
    """State folder and instance -> the fleet that the daemon uses, too."""


def find(fleet: str, image: str | None) -> Workplace:
    """The place that `--fleet` names; raises DemoFailed where there is no such thing on this machine."""
    return _processes() if fleet == "process" else _containers(image)


def _processes() -> Workplace:
    return Workplace(
        settings={"type": "process"},
        address="127.0.0.1",
        worker={"metrics_port": METRICS_PORT},
        python=sys.executable,
        open=ProcessFleet,
    )


def _containers(image: str | None) -> Workplace:
    from autoscaler.fleet.docker import DockerFleet

    host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    gateway = _gateway(host)
    return Workplace(
        settings={"type": "docker", "host": host},
        address=gateway,
        worker={
            "image": image or _example(host),
            "volumes": [f"{PACKAGE}:/demo/{PACKAGE.name}:ro"],
            "environment": {"PYTHONPATH": "/demo"},
            "metrics_port": METRICS_PORT,
            "deploy": {"resources": {"limits": {"memory": "512m"}}},
        },
        python="python",
        open=lambda _state, instance: DockerFleet(host, instance, timeout_seconds=30),
    )


def _gateway(host: str) -> str:
    """This machine's address in the engine's default network."""
    import docker
    import requests

    try:
        network = docker.APIClient(host, timeout=10).inspect_network("bridge")
        return str(network["IPAM"]["Config"][0]["Gateway"])
    except (docker.errors.DockerException, requests.RequestException, LookupError) as error:
        raise DemoFailed(f"no Docker engine with a default network answers at {host}: start one, or use --fleet process") from error


def _example(host: str) -> str:
    """The example image, if the engine has it."""
    import docker
    import requests

    try:
        docker.APIClient(host, timeout=10).inspect_image(EXAMPLE_IMAGE)
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise DemoFailed(
            f"the engine has no image {EXAMPLE_IMAGE}: build it with "
            "`docker build -f examples/worker/Dockerfile -t celery-worker-example .`, "
            "or name one with python, celery[redis] and prometheus-client by --image; the app is mounted into it"
        ) from error
    return EXAMPLE_IMAGE
