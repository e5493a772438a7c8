"""What tests on a Docker engine share: the scripts that give one, a small image, and a worker that obeys."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from autoscaler.config.worker import WorkerSpec

SCRIPTS = Path(__file__).parents[2] / "scripts" / "engine"
IMAGE = "autoscaler-test/tools:1"

OBEYS = "trap 'sleep 0.3; exit 0' TERM; while :; do sleep 0.05; done"
"""A shell program that runs until it is told to leave, and then takes a moment, as a worker that finishes its task."""


def run_script(name: str, *arguments: str, **environment: str) -> str:
    """Standard output of one of the engine's scripts; its own words on failure."""
    done = subprocess.run(
        [SCRIPTS / name, *arguments], env=os.environ | environment, capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        raise RuntimeError(f"scripts/engine/{name}: {done.stderr.strip()}")
    return done.stdout.strip()


def docker_worker(**keys: object) -> WorkerSpec:
    """A worker of the small image that obeys, unless `keys` of the worker say otherwise."""
    defaults = {"image": IMAGE, "command": ["sh", "-c", OBEYS], "network_mode": "none", "pull_policy": "never"}
    return WorkerSpec.model_validate(defaults | keys)
