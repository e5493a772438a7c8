"""Waking: from a publish to a started worker while the daemon looks once in five minutes, and what the hook costs a producer.

    python benchmarks/wake.py [--runs 15] [--rounds 100] [--publishes 300] [--image busybox]

Real Redis, real Celery, the daemon as a user starts it; workers as local processes, or with --image as containers of the engine at
DOCKER_HOST. Two questions:
1. From just before a publish to the first line of the worker's program (or the engine's start event), beside the same program started
   without a daemon: what lies between is publish, hook, HTTP, look, decision. Goal: less than 300 ms.
2. What the hook costs a producer: rounds with and without it in turn, so that both have the same weather, and the median ratio of
   neighbours. To Redis with `send_task`, as apps do it, as fast as one process can; 10,000 a second, which no process of Celery's gets
   to Redis, to a broker in memory; and there as fast as Celery can. Goal: less than 5 % lost of the first two. The last one is beside
   a receiver of the same signal that does nothing, because most of it is what Celery takes to tell anybody of a publish.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import docker
from celery import Celery, signals
from from_zero import COMMAND, Starts, engine_alone, free_port, redis_binary

from autoscaler.config.worker import WorkerSpec
from autoscaler.contrib.celery import wake_on_publish
from autoscaler.fleet.process import ProcessFleet

ROOT = Path(__file__).parents[1]
GOAL_SECONDS, GOAL_LOSS = 0.3, 0.05
GOAL_PACE, PACED_SECONDS = 10_000, 0.25
FASTER = 5
"""So many more publishes a round where nothing leaves the process, so that rounds take as long."""
PROGRAM = """
now=$(date +%s.%N)
cd "$PLACE" && echo "$now" > "$AUTOSCALER_POOL.new" && mv "$AUTOSCALER_POOL.new" "$AUTOSCALER_POOL"
exec sleep 600
"""


class Fleet(Protocol):
    """Where workers run."""

    settings: dict[str, Any]
    """`fleet` of the configuration."""
    worker: dict[str, Any]
    """A worker that does nothing, and whose start is seen."""

    def alone(self, runs: int) -> list[float]:
        """Seconds of so many starts without a daemon."""

    def began(self, pool: str) -> float | None:
        """When the worker of this pool began; None until it has."""

    def end(self) -> None:
        """Take the workers down: they hold nothing."""


class Processes:
    """Workers as processes: each says when it began, in a file of its pool's name."""

    def __init__(self, folder: Path) -> None:
        self.settings = {"type": "process"}
        self.worker: dict[str, Any] = {"command": ["sh", str(folder / "worker.sh")], "environment": {"PLACE": str(folder)}}
        self._folder = folder
        (folder / "worker.sh").write_text(PROGRAM)

    def alone(self, runs: int) -> list[float]:
        """From the fleet's own start call to the program's first line."""
        fleet, took = ProcessFleet(self._folder / "alone", "alone"), []
        for i in range(runs):
            sent, name = time.time(), f"alone{i}"
            fleet.start(name, name, WorkerSpec.model_validate(self.worker), {"AUTOSCALER_POOL": name})
            took.append(until_begun(self, name, sent) - sent)
        _kill(fleet)
        return took

    def began(self, pool: str) -> float | None:
        """As its file says."""
        said = self._folder / pool
        return float(said.read_text()) if said.exists() else None

    def end(self) -> None:
        """Those that the daemon has started."""
        _kill(ProcessFleet(self._folder / "state", "bench"))


class Containers:
    """Workers as containers of the engine at DOCKER_HOST, whose start events are read."""

    def __init__(self, image: str) -> None:
        host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        self.settings = {"host": host}
        self.worker: dict[str, Any] = {"image": image, "command": COMMAND, "pull_policy": "never", "stop_grace_period": "1s"}
        self._image, self._client, self._starts = image, docker.APIClient(base_url=host), Starts(host, "bench")

    def alone(self, runs: int) -> list[float]:
        """Create and start through the SDK."""
        return engine_alone(self._client, self._image, runs)

    def began(self, pool: str) -> float | None:
        """As the engine's event says."""
        return self._starts.at.get(pool)

    def end(self) -> None:
        """All of this instance."""
        for row in self._client.containers(all=True, filters={"label": "autoscaler.instance=bench"}):
            self._client.remove_container(row["Id"], force=True)


def _kill(fleet: ProcessFleet) -> None:
    for worker in fleet.containers():
        fleet.stop(worker.id, kill=True)


def until_begun(fleet: Fleet, pool: str, since: float) -> float:
    """When the worker of this pool began, as soon as that is known."""
    while (at := fleet.began(pool)) is None:
        assert time.time() - since < 30, f"no start of {pool} within 30 s"
        time.sleep(0.002)
    return at


@dataclass(frozen=True)
class Place:
    """What one run of the benchmark stands on."""

    folder: Path
    fleet: Fleet
    redis: str
    daemon: str
    token_file: str


@contextmanager
def stage(runs: int, image: str) -> Iterator[Place]:
    """A Redis, and a daemon with as many pools as runs, that looks once in five minutes."""
    with tempfile.TemporaryDirectory() as text:
        folder, redis_port, port = Path(text), free_port(), free_port()
        (folder / "token").write_text(secrets.token_hex(32))
        fleet = Containers(image) if image else Processes(folder)
        place = Place(folder, fleet, f"redis://127.0.0.1:{redis_port}/0", f"http://127.0.0.1:{port}", str(folder / "token"))
        server = [redis_binary(), "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", text]
        command = [sys.executable, "-m", "autoscaler", "run", "-c", str(configuration(place, runs, port))]
        with (
            subprocess.Popen(server, stdout=subprocess.DEVNULL) as broker,
            (folder / "log").open("w") as log,
            subprocess.Popen(command, cwd=ROOT, stderr=log, stdout=log) as daemon,
        ):
            try:
                until_ready(place.daemon)
                yield place
            finally:
                daemon.terminate()
                daemon.wait(10)
                fleet.end()
                broker.terminate()


def configuration(place: Place, runs: int, port: int) -> Path:
    """One queue a pool, and one more that is only published to."""
    names = [*(f"p{i}" for i in range(runs)), "load"]
    settings = {
        "instance": "bench",
        "interval": "5m",
        "max_replicas": len(names),
        "flower": {"url": "http://127.0.0.1:1"},
        "brokers": [{"name": "primary", "url": place.redis}],
        "fleet": place.fleet.settings,
        "state": str(place.folder / "state"),
        "api": {"listen": f"127.0.0.1:{port}", "wake_token_file": place.token_file},
        "pools": {name: {"queues": [name], "replicas": {"max": 1}, "worker": place.fleet.worker} for name in names},
    }
    path = place.folder / "config.yaml"
    path.write_text(json.dumps(settings))
    return path


def until_ready(url: str) -> None:
    """Wait for the daemon's first look."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the daemon did not start")


def wakes(place: Place, app: Celery, runs: int) -> list[float]:
    """Seconds from just before a publish to its worker's beginning, one sleeping pool after the other."""
    took = []
    for i in range(runs):
        time.sleep(0.5)
        sent = time.time()
        app.send_task("work", queue=f"p{i}")
        took.append(until_begun(place.fleet, f"p{i}", sent) - sent)
    return took


@dataclass(frozen=True)
class Rate:
    """Publishes per second of this process' own processor time (all its threads), which neighbours do not change, and of the clock."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Way:
    """A way to publish."""

    publish: Callable[[], object]
    clear: Callable[[], object]
    """Takes away what was published."""


def to_redis(app: Celery) -> Way:
    """As apps do it."""
    return Way(lambda: app.send_task("work", queue="load", ignore_result=True), lambda: None)


def to_memory(app: Celery) -> Way:
    """The fastest that Celery has: one message, made before, on a kept producer, to a broker in this process."""
    producer, message = app.amqp.Producer(app.connection_for_write()), app.amqp.as_task_v2("id", "work")
    queue = app.amqp.queues["load"].bind(producer.channel)
    queue.declare()
    return Way(lambda: app.amqp.send_task_message(producer, "work", message, queue=queue), queue.purge)


Rates = dict[str, list[Rate]]
"""By who listens to the publishes: `hook`, `nobody`, or `empty`, which does nothing."""


def empty(**_: object) -> None:
    """The least that can be told of a publish."""


def rates(rounds: int, way: Way, one_round: Callable[[Callable[[], object]], int]) -> Rates:
    """Rounds that publish so many each, the listeners in turn."""
    signal = signals.after_task_publish
    hook = list(signal.receivers)
    listeners = {"hook": hook, "nobody": [], "empty": [(hook[0][0], empty)]}
    found: Rates = {name: [] for name in listeners}
    for number in range(rounds):
        for name in sorted(listeners, reverse=bool(number % 2)):
            signal.receivers[:] = listeners[name]
            wall, cpu = time.perf_counter(), time.process_time()
            sent = one_round(way.publish)
            found[name].append(Rate(sent / (time.process_time() - cpu), sent / (time.perf_counter() - wall)))
            way.clear()
    signal.receivers[:] = hook
    return found


def as_many(publishes: int) -> Callable[[Callable[[], object]], int]:
    """A round that publishes so many as fast as it can."""

    def one_round(publish: Callable[[], object]) -> int:
        for _ in range(publishes):
            publish()
        return publishes

    return one_round


def at_pace(publish: Callable[[], object]) -> int:
    """A round that publishes at the pace of the goal, a few every millisecond."""
    began, sent = time.perf_counter(), 0
    while (now := time.perf_counter() - began) < PACED_SECONDS:
        for _ in range(int(now * GOAL_PACE) - sent):
            publish()
            sent += 1
        time.sleep(0.001)
    return sent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--publishes", type=int, default=300)
    parser.add_argument("--image", default="")
    args = parser.parse_args()
    with stage(args.runs, args.image) as place:
        app = Celery("producer", broker=place.redis)
        app.send_task("work", queue="load")
        wake_on_publish(app, place.daemon, token_file=place.token_file)
        alone = place.fleet.alone(args.runs)
        took = wakes(place, app, args.runs)
        memory = to_memory(Celery("fast", broker="memory://"))
        found = {
            "to Redis": rates(args.rounds, to_redis(app), as_many(args.publishes)),
            f"{GOAL_PACE:,} a second": rates(args.rounds, memory, at_pace),
            "as fast as Celery can": rates(args.rounds, memory, as_many(FASTER * args.publishes)),
        }
    started(alone, took)
    for how, of_way in found.items():
        published(how, of_way, {"to Redis": "hook", "as fast as Celery can": ""}.get(how, "clock"))


def started(alone: list[float], took: list[float]) -> None:
    """How long a wake takes, and what is left when the fleet is taken off."""
    own = statistics.median(alone)
    over, worst = statistics.median(took) - own, max(took) - own
    say("the fleet's own start", f"median {own * 1000:.0f} ms, max {max(alone) * 1000:.0f} ms")
    say("publish to started worker", f"median {statistics.median(took) * 1000:.0f} ms, max {max(took) * 1000:.0f} ms")
    say("over the fleet's own start", f"median {over * 1000:.0f} ms, max {worst * 1000:.0f} ms; {verdict(worst < GOAL_SECONDS)}: < 300")


def published(how: str, found: Rates, goal: str) -> None:
    """What the listeners leave of the rate of a producer; the goal is for the hook, by the clock where it is paced by it."""
    say(f"{how}, nobody listens", f"{statistics.median(rate.wall for rate in found['nobody']):,.0f} a second")
    for name in ("hook", "empty"):
        pairs = list(zip(found[name], found["nobody"], strict=True))
        more = statistics.median(1e6 / with_.cpu - 1e6 / without.cpu for with_, without in pairs)
        kept(
            "  by processor time, " + name,
            [with_.cpu / without.cpu for with_, without in pairs],
            goal == name,
            f", {more:.1f} us a publish",
        )
    pairs = list(zip(found["hook"], found["nobody"], strict=True))
    kept("  by the clock, hook", [with_.wall / without.wall for with_, without in pairs], goal == "clock")


def kept(what: str, ratios: list[float], is_goal: bool, more: str = "") -> None:
    """The share of the rate that is left."""
    ratio = statistics.median(ratios)
    say(what, f"{ratio:.3f} {tenths(ratios)}{more}" + (f"; {verdict(ratio > 1 - GOAL_LOSS)}: > 0.95" if is_goal else ""))


def say(what: str, said: str) -> None:
    """One line of the report."""
    print(f"{what:<38} {said}")


def tenths(ratios: list[float]) -> str:
    """Between what lie eight tenths of them: how much the weather changed."""
    first, *_, last = statistics.quantiles(ratios, n=10)
    return f"({first:.2f} to {last:.2f})"


def verdict(met: bool) -> str:
    """Whether a goal is met, in a word."""
    return "goal met" if met else "GOAL MISSED"


if __name__ == "__main__":
    main()
