"""The whole demo as a user runs it, and that nothing of it stays behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path

import pytest
from live import ROOT, until

from autoscaler.demo import run_demo

LAST_LINE = re.compile(r"demo: sent=24 done=24 lost=0 interrupted=0 peak=(\d+) final=0 first_start_s=(\d+\.\d\d) wait_p95_s=(\d+\.\d\d)")


def processes(mark: str) -> list[str]:
    """The command lines of all processes that carry this in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A small demo as a program of its own; all that it starts carries its folder for temporary files in the environment."""
    with subprocess.Popen(
        [sys.executable, "-m", "autoscaler", "demo", "--tasks", "24"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield process
        process.terminate()


@pytest.mark.real
@pytest.mark.timeout(200)
def test_whole_demo(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    """All tasks are done, workers come and go, the last line says so in the agreed form, and nothing stays behind."""
    told, _ = demo.communicate(timeout=190)

    match = LAST_LINE.fullmatch(told.splitlines()[-1])
    assert match, told
    assert demo.returncode == 0
    assert 2 <= int(match[1]) <= 8
    assert 0 < float(match[2]) < 60
    assert processes(f"TMPDIR={tmp_path}") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real
@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_in_the_middle(demo: subprocess.Popen[str], tmp_path: Path, number: int) -> None:
    """A signal while workers run ends everything: also the workers, which the daemon itself would leave running."""
    mark = f"TMPDIR={tmp_path}"
    until(lambda: any(" worker " in line and "keeper" not in line for line in processes(mark)), 60)

    demo.send_signal(number)
    told, _ = demo.communicate(timeout=40)

    assert demo.returncode == 130
    assert told.splitlines()[-1] == "stopped; everything that was started is gone"
    assert processes(mark) == []
    assert list(tmp_path.iterdir()) == []


class EmptyEngine(BaseHTTPRequestHandler):
    """An engine with a default network and no images."""

    def do_GET(self) -> None:
        """Answer the two questions that the demo asks before it starts anything."""
        answers = {"version": {"ApiVersion": "1.44"}, "bridge": {"IPAM": {"Config": [{"Gateway": "127.0.0.1"}]}}}
        body = answers.get(self.path.rpartition("/")[2])
        text = json.dumps(body or {"message": "No such image"}).encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def test_docker_says_how_to_get_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the engine lacks the example image, the demo says how it is built, and starts nothing."""
    out = StringIO()
    with HTTPServer(("127.0.0.1", 0), EmptyEngine) as engine:
        threading.Thread(target=engine.serve_forever, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{engine.server_port}")
        ended = run_demo("docker", 24, None, out)
        engine.shutdown()

    assert ended == 1
    assert "docker build -f examples/worker/Dockerfile -t celery-worker-example ." in out.getvalue()


def test_docker_needs_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an engine the demo says so, and what to use instead."""
    out = StringIO()
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")

    assert run_demo("docker", 24, None, out) == 1
    assert "use --fleet process" in out.getvalue()


def test_failed_demo_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of the stack that does not come up ends the demo in words, with its last lines, and with all others."""
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\necho no room for me; exit 1\n")
    broken.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    out = StringIO()

    assert run_demo("process", 24, None, out) == 1
    assert "Redis ended with exit code 1:\nno room for me" in out.getvalue()
    assert list(tmp_path.iterdir()) == [broken]
