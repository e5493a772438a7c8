"""The scripts that give the tests an engine: whose engine they take, and what they leave behind."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from engines import SCRIPTS, run_script
from scripted_engine import Says, ScriptedEngine


def test_machines_own_engine_is_used(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """Where an engine answers, none is started, and taking it down leaves it alone."""
    scripted.on("GET /_ping", Says(200, b"OK"))

    try:
        assert run_script("up", str(tmp_path / "engine"), DOCKER_HOST=scripted.host) == scripted.host
    finally:
        run_script("down", str(tmp_path / "engine"), DOCKER_HOST=scripted.host)

    assert scripted.questions == ["GET /_ping"]
    assert not (tmp_path / "engine").exists()


def test_exec_names_the_engine(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """A command finds the engine's address in its environment."""
    scripted.on("GET /_ping", Says(200, b"OK"))

    assert run_script("exec", str(tmp_path), "sh", "-c", "echo $DOCKER_HOST", DOCKER_HOST=scripted.host) == scripted.host


def test_without_root(tmp_path: Path) -> None:
    """Who may not start an engine is told what to do instead."""
    drop = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    environment = os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}

    done = subprocess.run([*drop, SCRIPTS / "up", "/nonexistent/engine"], env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "needs root: start Docker, set DOCKER_HOST, or run this as root" in done.stderr


@pytest.mark.engine
@pytest.mark.skipif(os.geteuid() != 0, reason="a private engine needs root")
def test_private_engine(tmp_path: Path) -> None:
    """A private engine is started once, found again at once, entered, and leaves nothing when it is taken down."""
    folder = tmp_path / "engine"
    host = run_script("up", str(folder), "--private")
    try:
        begun = time.monotonic()
        assert run_script("up", str(folder), "--private") == host
        assert time.monotonic() - begun < 5

        assert run_script("exec", str(folder), "docker", "version", "--format", "{{.Server.Version}}")
        assert run_script("exec", str(folder), "docker", "compose", "version", "--short")
        run_script("image", "tools", "alone:1", DOCKER_HOST=host)
        run_script("exec", str(folder), "docker", "run", "--detach", "--network", "none", "alone:1", "sleep", "300")
    finally:
        run_script("down", str(folder))

    socket = Path(host.removeprefix("unix://"))
    assert not folder.exists()
    assert not socket.parent.exists()
    assert socket.parent.name not in Path("/proc/mounts").read_text()
