"""The deployment of docker-compose.yml for real, in an engine that may have no way to the internet.

Images that would be pulled are built here out of this machine's files and the locked packages (`stand_ins/`); everything else is what
a user starts: the compose file, our Dockerfile, the sample of config.yaml with a short memory. conftest.py hands it to the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from live import ROOT, redis_binary

STAND_INS = Path(__file__).parent / "stand_ins"
ENGINE = ROOT / "scripts" / "engine"
WHEELS = ROOT / ".cache" / "wheels"
ALL_PROFILES = ("--profile", "monitoring", "--profile", "example")


def run(*command: str | Path, env: dict[str, str] | None = None, seconds: float = 300) -> str:
    """Standard output of a command; its last words when it fails."""
    try:
        done = subprocess.run(command, env=env or dict(os.environ), cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds)
    except FileNotFoundError as error:
        raise RuntimeError(f"{command[0]} is not installed") from error
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout.strip()


class Host:
    """An engine with its command line and Compose."""

    def __init__(self, address: str, folder: Path | None) -> None:
        """`folder` is that of a private engine that this test run has started by itself, None for any other."""
        self.address = address
        self._enter = [str(ENGINE / "exec"), str(folder)] if folder else []

    def docker(self, *arguments: str | Path, seconds: float = 300, **environment: str) -> str:
        """Output of one docker command."""
        env = {**os.environ, "DOCKER_HOST": self.address, **environment}
        return run(*self._enter, "docker", *arguments, env=env, seconds=seconds)

    def stand_in(self, kind: str, tag: str, *source: str) -> None:
        """Put a base image made of this machine's files into the engine."""
        run(ENGINE / "image", kind, tag, *source, env={**os.environ, "DOCKER_HOST": self.address})

    def build(self, tag: str, recipe: Path, context: Path, **arguments: str) -> None:
        """Build one image."""
        options = [option for name, value in arguments.items() for option in ("--build-arg", f"{name}={value}")]
        self.docker("build", "--quiet", "--tag", tag, "--file", recipe, *options, context)


IMAGES = {
    "PYTHON_IMAGE": "autoscaler-test/python-with-packages:1",
    "REDIS_IMAGE": "autoscaler-test/redis:1",
    "FLOWER_IMAGE": "autoscaler-test/flower:1",
    "PROXY_IMAGE": "autoscaler-test/socket-proxy:1",
    "AUTOSCALER_IMAGE": "autoscaler-test/autoscaler:1",
    "WORKER_IMAGE": "autoscaler-test/worker:1",
}


def make_stand_ins(host: Host) -> None:
    """Every image that the deployment pulls, under names that nobody else uses."""
    run(ROOT / "scripts" / "wheels")
    host.stand_in("python", "autoscaler-test/python:1")
    host.stand_in("redis", IMAGES["REDIS_IMAGE"], redis_binary())
    python = IMAGES["PYTHON_IMAGE"]
    host.build(python, STAND_INS / "python" / "Dockerfile", WHEELS, BASE="autoscaler-test/python:1")
    for name in ("flower", "socket_proxy"):
        tag = IMAGES["FLOWER_IMAGE" if name == "flower" else "PROXY_IMAGE"]
        host.build(tag, STAND_INS / name / "Dockerfile", STAND_INS / name, PYTHON_IMAGE=python)


class Stack:
    """The services of docker-compose.yml under a project name of their own."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.name = f"autoscaler-test-{os.getpid()}"
        self.config = folder / "config.yaml"
        engine = host.address.removeprefix("unix://")
        self._environment = {
            **IMAGES,
            "COMPOSE_PROJECT_NAME": self.name,
            "WORKER_NETWORK": self.name,
            "CONFIG_DIR": str(folder),
            "DOCKER_SOCKET": engine if engine.startswith("/") else "/var/run/docker.sock",
            # Any free port: the machine may have a deployment of its own.
            **dict.fromkeys(("FLOWER_PORT", "AUTOSCALER_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT"), "0"),
        }

    def compose(self, *arguments: str, seconds: float = 300) -> str:
        """Output of one docker compose command."""
        return self.host.docker("compose", *arguments, seconds=seconds, **self._environment)

    def configure(self, change: Callable[[dict[str, Any]], None] = lambda settings: None) -> None:
        """Write the sample of config.yaml, made quick and named after this stack, by renaming over, as editors do."""
        settings = yaml.safe_load((ROOT / "config.yaml").read_text())
        settings |= {"instance": self.name, "interval": "1s"}
        for pool in settings["pools"].values():
            pool["scale_down"] = {"stabilization": "3s"}
            pool["worker"] |= {"image": IMAGES["WORKER_IMAGE"], "networks": [self.name], "pull_policy": "never"}
        change(settings)
        fresh = self.config.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(settings))
        fresh.chmod(0o644)
        fresh.rename(self.config)

    def inside(self, *command: str) -> str:
        """Output of a command in the autoscaler's container."""
        return self.compose("exec", "--no-TTY", "autoscaler", *command)

    def fetch(self, url: str) -> str:
        """What the autoscaler's container gets from an address."""
        return self.inside("python3", "-c", f"import urllib.request as r; print(r.urlopen({url!r}, timeout=5).read().decode())")

    def status(self) -> dict[str, Any]:
        """What the daemon says."""
        found: dict[str, Any] = json.loads(self.fetch("http://127.0.0.1:8090/api/v1/status"))
        return found

    def pool(self, name: str) -> dict[str, Any]:
        """What the daemon says about one pool."""
        return next(pool for pool in self.status()["pools"] if pool["pool"] == name)

    def workers(self) -> list[str]:
        """Names of this stack's workers, as the engine has them, ended ones included."""
        return self.host.docker("ps", "--all", "--format", "{{.Names}}", "--filter", f"label=autoscaler.instance={self.name}").split()

    def until(self, true: Callable[[], object], seconds: float) -> None:
        """Wait for a condition; the autoscaler's log when it does not come."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"not within {seconds:g} s; it says:\n{self.compose('logs', '--tail=40', 'autoscaler')}"
            time.sleep(0.3)

    def down(self) -> None:
        """Remove the workers, and then everything else of the stack."""
        if workers := self.workers():
            self.host.docker("rm", "--force", *workers)
        self.compose(*ALL_PROFILES, "down", "--volumes", "--timeout", "5")
