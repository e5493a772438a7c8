"""`autoscaler check` with a broker behind TLS and a password, as a user sees it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
import yaml
from live import a_redis
from tls_front import tls_front

from autoscaler.cli.check import workers_found
from autoscaler.config.load import load
from autoscaler.model import Container, ContainerState

pytestmark = pytest.mark.real
PASSWORD = "s3cret-s3cret"


def check(folder: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """`autoscaler check` of a file with this broker."""
    worker = {"command": ["celery", "worker", "--without-gossip", "--without-mingle"]}
    settings = {
        "flower": {"url": "http://127.0.0.1:1", "timeout": "1s"},
        "fleet": {"type": "process"},
        "state": str(folder / "state"),
        "brokers": [{"name": "primary", "url": "${BROKER}", "timeout": "2s"}],
        "pools": {"p": {"queues": ["p"], "replicas": {"max": 1}, "worker": worker}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "autoscaler", "check", "-c", str(folder / "config.yaml"), *words]
    return subprocess.run(command, env={**os.environ, "BROKER": url}, capture_output=True, text=True, timeout=30, check=False)


class Page(BaseHTTPRequestHandler):
    """The page of a worker that asks its broker each second."""

    def do_GET(self) -> None:
        """As `serve_worker_metrics` of a worker tells it."""
        self.send_response(200)
        self.end_headers()
        labels = 'kombu="5.7.0",gossip="off",mingle="off",heartbeat="off",remote_control="off"'
        self.wfile.write(f"autoscaler_worker_setup_info{{{labels}}} 1.0\n".encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.mark.parametrize(("budget", "found"), [("", 0), (", budget: 10000/day", 1)])
def test_running_workers_are_judged_by_their_pages(tmp_path: Path, budget: str, found: int) -> None:
    """One of each configured pool, on a broker that bills commands; a worker of a pool that is gone is nobody's business."""
    pool = "p: {queues: [p], replicas: {max: 1}, worker: {command: /start.sh}}"
    text = f"flower: {{url: http://f}}\nfleet: {{type: process}}\nbrokers: [{{name: b, url: redis://b{budget}}}]\npools: {{{pool}}}\n"
    (tmp_path / "config.yaml").write_text(text)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = f"127.0.0.1:{server.server_port}"
    running = [Container(name, name, name[0], ContainerState.RUNNING, 0.0, "", metrics=page) for name in ("p1", "p2", "gone")]

    told = asyncio.run(workers_found(load(tmp_path / "config.yaml", {}), running))
    server.shutdown()
    server.server_close()

    assert [(each.about, each.verdict, each.text[:26]) for each in told] == [("pools.p", "warning", "worker p1 asks each second")] * found


def test_a_broker_is_tried_step_by_step(tmp_path: Path) -> None:
    """Every step has its line, the queues are seen, and the password is nowhere; where a step fails, the exit code says so."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with (
        a_redis(tmp_path, "--requirepass", PASSWORD) as plain,
        tls_front(urlsplit(plain).port, authority.issue_cert("localhost")) as port,
    ):
        url = f"rediss://:{PASSWORD}@localhost:{port}/0"
        good = check(tmp_path, f"{url}?ssl_ca_certs={tmp_path / 'ca.pem'}")
        bad = check(tmp_path, url, "--format", "json")

    assert "ok    broker:primary: certificate: trusted" in good.stdout
    assert "ok    broker:primary: commands: lists, hashes" in good.stdout
    assert "ok    broker:primary: answers: 1 queues" in good.stdout
    failed = [row for row in json.loads(bad.stdout) if row["about"] == "broker:primary" and row["verdict"] == "failed"]
    assert [row["text"].split(":")[0] for row in failed] == ["tls"]
    assert bad.returncode == 1
    assert PASSWORD not in good.stdout + good.stderr + bad.stdout + bad.stderr
