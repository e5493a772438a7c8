"""What the status page costs with many pools and workers: the real application and a real browser, on ticks that are made up.

    python benchmarks/page.py [--pools 200] [--workers 1000] [--each] [--ticks 20] [--browser chromium]

`--workers` are those of all pools together, or of each pool with `--each`. A worker changes what it runs at every tick, so that every
pool is told anew each time. Prints how long `/metrics`, the status and one frame of the stream take, how large they are, when the
browser paints first and shows the pools, and the longest frame while ticks arrive.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from autoscaler.model import (
    Container,
    ContainerState,
    Known,
    Memory,
    Observation,
    Policies,
    PoolPolicy,
    QueueSight,
    Record,
    SourceSight,
    Unknown,
    WorkerSight,
)
from autoscaler.policy.decide import decide
from autoscaler.policy.memory import remember
from autoscaler.report.journal import Journal
from autoscaler.report.metrics import Metrics
from autoscaler.report.snapshot import ConfigState, Snapshot
from autoscaler.web.app import Doors, build_app
from autoscaler.web.brief import brief, changes
from autoscaler.web.server import Server

SLOTS = 4
REPEATS = 5
UNKNOWN = Unknown("nobody says")
FRAMES = """() => { window.frames_ = []; let last = performance.now();
  const step = (now) => { window.frames_.push(now - last); last = now; requestAnimationFrame(step); }; requestAnimationFrame(step);
  window.tasks_ = []; new PerformanceObserver((list) => { for (const e of list.getEntries()) window.tasks_.push(e.duration); })
    .observe({ type: "longtask" }); }"""
CARDS = """() => new MutationObserver((_, watch) => { if (!document.querySelector("article.card dl")) return; watch.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.shown_ = performance.now(); }, 0)); })
  .observe(document, { childList: true, subtree: true })"""
PAINTS = "() => Object.fromEntries(performance.getEntriesByType('paint').map((e) => [e.name, e.startTime]))"


class House:
    """Pools and workers, decided by the real rules, behind the real application."""

    def __init__(self, folder: Path, pools: int, workers: int) -> None:
        names = [f"pool-{i:03d}" for i in range(pools)]
        settings = {n: PoolPolicy(n, (n,), 0, 2 * workers, SLOTS) for n in names}
        self.policies = Policies("big", 2.0, 10 * workers + pools, settings, "0123456789ab")
        made = time.time() - 600
        self.containers = tuple(_container(names[i % pools], i, made) for i in range(workers))
        self.memory, self.tick = Memory(), 0
        self.snapshot: Snapshot | None = None
        self.journal = Journal(folder / "journal.sqlite3")
        self.metrics = Metrics(lambda: self.snapshot)
        self.app = build_app(self._doors())
        self.server = Server(self.app, "127.0.0.1:0", leaving=self.app.state.stream.close)
        self.server.start()
        self.url = f"http://127.0.0.1:{self.server.port}"

    def _doors(self) -> Doors:
        return Doors(
            snapshot=lambda: self.snapshot,
            metrics=self.metrics.render,
            decisions=self.journal.decisions,
            history=self.journal.ticks,
            news=self.journal.news,
            give=lambda order: (order,),
            standing=dict,
            ordered=self.journal.orders,
            reload=lambda order: None,
            alive=lambda: (True, ""),
            keys=tuple,
            wake_keys=tuple,
            allowed_hosts=tuple,
            counted=self.metrics.count_request,
        )

    def step(self) -> Snapshot:
        """One tick: every pool has other numbers than before."""
        self.tick += 1
        now = time.time()
        queues = {n: QueueSight(n, Known((self.tick + i) % 3, now, "flower")) for i, n in enumerate(self.policies.pools)}
        workers = {c.worker: _worker(c, (self.tick + i) % (SLOTS + 1), now) for i, c in enumerate(self.containers)}
        seen = Observation(now, queues, workers, Known(self.containers, now, "fleet"), (SourceSight("flower", True, "", 0.02, now),))
        record = Record(now, "0123456789ab", seen, decide(self.policies, seen, self.memory, now), ())
        self.memory = remember(self.memory, record)
        self.journal.record(record, self.memory)
        config = ConfigState("0123456789ab", now)
        self.snapshot = Snapshot(now, self.policies, config, self.memory, record, tick_seconds=0.1)
        return self.snapshot

    def close(self) -> None:
        """Take it down."""
        self.server.stop()
        self.journal.close()


def _container(pool: str, number: int, made: float) -> Container:
    name = f"big-{pool}-{number:06x}"
    return Container(f"{number:064x}", name, pool, ContainerState.RUNNING, made, "s")


def _worker(container: Container, running: int, now: float) -> WorkerSight:
    none, slots, busy = (Known(n, now, "flower") for n in (0, SLOTS, running))
    yes, no = (Known(is_so, now, "flower") for is_so in (True, False))
    return WorkerSight(container.worker, yes, busy, none, none, no, slots, UNKNOWN, UNKNOWN)


def fastest(work: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds of the quickest of a few times, and what came out."""
    took = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        result = work()
        took.append(1000 * (time.perf_counter() - began))
    return min(took), result


def ask(url: str) -> bytes:
    """One answer."""
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


def size(told: Any) -> float:
    """Of an event, in kilobytes."""
    return len(json.dumps(told, separators=(",", ":"))) / 1000


def on_the_server(house: House) -> None:
    """What the daemon spends."""
    for path in ("/metrics", "/api/v1/status?workers=false", "/api/v1/status"):
        took, body = fastest(lambda path=path: ask(house.url + path))
        print(f"{path:<32} {took:8.1f} ms  {len(body) / 1000:10.0f} kB")
    took, told = fastest(lambda: brief(house.snapshot, time.time()))
    print(f"{'a frame of the stream, composed':<32} {took:8.1f} ms  {size(told):10.0f} kB whole")
    after = brief(house.step(), time.time())
    took, change = fastest(lambda: changes(told, after))
    print(f"{'a frame, compared with the last':<32} {took:8.1f} ms  {size(change):10.0f} kB, {len(change['pools'])} pools changed")


def in_the_browser(house: House, page: Page, ticks: int) -> None:
    """What a reader waits for."""
    page.add_init_script(f"({CARDS})()")
    page.goto(house.url, wait_until="commit")
    page.locator("article.card dl").first.wait_for(timeout=60_000)
    page.wait_for_timeout(1000)
    shown, paints = page.evaluate("window.shown_"), page.evaluate(PAINTS)
    print(f"{'first paint':<32} {paints.get('first-contentful-paint', float('nan')):8.1f} ms")
    print(f"{'pools on the screen':<32} {shown:8.1f} ms")
    page.wait_for_timeout(2000)
    page.evaluate(FRAMES)
    for _ in range(ticks):
        house.step()
        page.wait_for_timeout(1000)
    frames, tasks = page.evaluate("[window.frames_, window.tasks_]")
    print(f"{'longest frame on updates':<32} {max(frames):8.1f} ms  {len(frames):10d} frames, {sum(f > 100 for f in frames)} above 100 ms")
    print(f"{'longest task on updates':<32} {max(tasks, default=0):8.1f} ms  {len(tasks):10d} above 50 ms")


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pools", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--each", action="store_true")
    parser.add_argument("--ticks", type=int, default=20)
    parser.add_argument("--browser", default=shutil.which("chromium"))
    asked = parser.parse_args()
    workers = asked.workers * (asked.pools if asked.each else 1)
    print(f"{asked.pools} pools, {workers} workers")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        house = House(Path(folder), asked.pools, workers)
        for _ in range(3):
            house.step()
        on_the_server(house)
        browser = playwright.chromium.launch(executable_path=asked.browser, args=["--no-sandbox"])
        in_the_browser(house, browser.new_page(viewport={"width": 1440, "height": 900}), asked.ticks)
        browser.close()
        house.close()


if __name__ == "__main__":
    main()
