"""What a tick costs: 50 pools, 500 containers, the real daemon against an engine and a Flower that answer from memory.

    python benchmarks/tick.py [--pools 50] [--containers 500] [--seconds 30]

Prints CPU per tick, list calls per tick, resident memory, and the ratio to the floor: reading and parsing the same list with
the standard library alone.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from autoscaler.config.worker import WorkerSpec

ROOT = Path(__file__).parents[1]
WORKER = {"image": "worker", "command": "celery worker"}
SPEC = WorkerSpec.model_validate(WORKER).hash
"""What the workers were started from is what the configuration says, so that none has to be replaced."""


def containers(pools: int, count: int) -> bytes:
    """The engine's answer: as many running workers, evenly over the pools."""
    rows = [
        {
            "Id": f"{i:064x}",
            "Names": [f"/autoscaler-pool{i % pools}-{i:06x}"],
            "Image": "worker:latest",
            "ImageID": "sha256:" + "0" * 64,
            "Command": "celery -A app worker",
            "Created": int(time.time()) - 600,
            "Ports": [],
            "Labels": {"autoscaler.instance": "autoscaler", "autoscaler.pool": f"pool{i % pools}", "autoscaler.spec": SPEC},
            "State": "running",
            "Status": "Up 10 minutes",
            "HostConfig": {"NetworkMode": "bridge"},
            "NetworkSettings": {"Networks": {"bridge": {"IPAddress": f"172.17.{i // 250}.{i % 250}"}}},
            "Mounts": [],
        }
        for i in range(count)
    ]
    return json.dumps(rows).encode()


def flower_pages(pools: int, count: int) -> dict[str, bytes]:
    """What Flower says of them: all online and busy, nothing waiting, so that the fleet is as it should be."""
    names = [f"celery@autoscaler-pool{i % pools}-{i:06x}" for i in range(count)]
    metrics = [f'flower_worker_number_of_currently_executing_tasks{{worker="{n}"}} 1.0' for n in names]
    return {
        "/api/queues/length": json.dumps({"active_queues": [{"name": f"q{i}", "messages": 0} for i in range(pools)]}).encode(),
        "/api/workers": json.dumps(dict.fromkeys(names, True)).encode(),
        "/metrics": "\n".join(["# TYPE flower_worker_number_of_currently_executing_tasks gauge", *metrics, ""]).encode(),
    }


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The Docker API on a unix socket, list and version only."""

    daemon_threads = True


def answer(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    """200 with this JSON (or text)."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def quiet(pages: dict[str, bytes], asked: Counter[str]) -> type[BaseHTTPRequestHandler]:
    """A handler that answers from memory and counts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = re.sub(r"^/v[\d.]+/", "/", self.path.partition("?")[0])
            asked[path] += 1
            if path == "/workers":
                beats = [{"hostname": n, "status": True, "active": 1, "heartbeats": [time.time()]} for n in pages["names"]]
                answer(self, json.dumps({"data": beats}).encode())
            else:
                answer(self, pages.get(path, b"{}"))

        def address_string(self) -> str:
            return "benchmark"

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int, what: str) -> float:
    """VmRSS or VmHWM of a process."""
    return int(re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def floor_ms(path: str, rounds: int = 50) -> float:
    """CPU of the list call itself: the standard library, one connection, read and parse."""

    class Unix(http.client.HTTPConnection):
        def connect(self) -> None:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(path)

    connection = Unix("engine")
    before = time.thread_time()
    for _ in range(rounds):
        connection.request("GET", "/containers/json?all=1")
        json.loads(connection.getresponse().read())
    return (time.thread_time() - before) / rounds * 1000


def ticks(url: str) -> int:
    """How many ticks the daemon has made."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as page:
        return round(float(re.search(r"^autoscaler_tick_seconds_count (\S+)", page.read().decode(), re.MULTILINE)[1]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pools", type=int, default=50)
    parser.add_argument("--containers", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=30.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), args)


def measure(folder: Path, args: argparse.Namespace) -> None:
    """One daemon, so many seconds."""
    asked: Counter[str] = Counter()
    flower_asked: Counter[str] = Counter()
    version = b'{"ApiVersion":"1.44","MinAPIVersion":"1.24"}'
    engine_pages = {"/containers/json": containers(args.pools, args.containers), "/version": version}
    pages = flower_pages(args.pools, args.containers)
    pages["names"] = list(json.loads(pages["/api/workers"]))
    sock = str(folder / "engine.sock")
    engine = Engine(sock, quiet(engine_pages, asked))
    flower = ThreadingHTTPServer(("127.0.0.1", 0), quiet(pages, flower_asked))
    for server in (engine, flower):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pools = {f"pool{i}": {"queues": [f"q{i}"], "replicas": {"max": 20}, "slots": 1, "worker": WORKER} for i in range(args.pools)}
    config = folder / "config.yaml"
    settings = {
        "flower": {"url": f"http://127.0.0.1:{flower.server_address[1]}"},
        "fleet": {"host": f"unix://{sock}"},
        "api": {"listen": f"127.0.0.1:{port}"},
        "state": str(folder / "state"),
        "dry_run": True,
        "max_replicas": 10_000,
        "pools": pools,
    }
    config.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "autoscaler", "run", "-c", str(config)]
    with subprocess.Popen(command, cwd=ROOT, stderr=(folder / "log").open("w")) as daemon:
        try:
            report(daemon.pid, f"http://127.0.0.1:{port}", asked, args, sock)
        except OSError:
            print((folder / "log").read_text()[-2000:])
            raise
        finally:
            daemon.terminate()


def report(pid: int, url: str, asked: Counter[str], args: argparse.Namespace, sock: str) -> None:
    """Let it settle, then measure."""
    time.sleep(12)
    before = ticks(url)
    time.sleep(0.5)  # the scrape that told so is not part of what is measured
    cpu, lists = cpu_seconds(pid), asked["/containers/json"]
    time.sleep(args.seconds)
    cpu, lists = cpu_seconds(pid) - cpu, asked["/containers/json"] - lists
    made = ticks(url) - before
    per_tick = cpu / made * 1000
    floor = floor_ms(sock)
    print(f"{args.pools} pools, {args.containers} containers, {made} ticks of 2 s")
    print(f"list calls per tick      {lists / made:.2f}")
    print(f"CPU per tick             {per_tick:.1f} ms   ({per_tick / 20:.1f} % of one core)")
    print(f"floor: list call alone   {floor:.1f} ms   ratio {per_tick / floor:.1f}")
    print(f"resident memory          {memory_mb(pid, 'VmRSS'):.1f} MB   highest {memory_mb(pid, 'VmHWM'):.1f} MB")


if __name__ == "__main__":
    main()
