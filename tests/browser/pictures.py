"""The pictures of the README and docs/page.md: an hour of four simulated pools, decided by the daemon's own loop.

    python tests/browser/pictures.py [FOLDER]

Run by hand where the page changed; nothing in a picture is drawn for it: the journal, the application and the page are the real ones.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import threading
import time
from array import array
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from playwright.sync_api import sync_playwright
from theatre import ROOT, Theatre

from autoscaler.loop import tick
from autoscaler.model import Action, Damping, Known, Memory, Observation, Outcome, Policies, PoolPolicy, SourceSight, TargetWait
from autoscaler.report.snapshot import ConfigState, Snapshot
from autoscaler.sim.arrivals import Trace
from autoscaler.sim.world import Boot, World

HOUR = 3600.0
INTERVAL = 2.0
CALM = Damping(max_step_percent=100.0, stabilization_seconds=45.0)
POOLS = (
    PoolPolicy("mail", ("mail", "mail.bulk"), 0, 12, slots=4, scale_down=CALM),
    PoolPolicy("video", ("video",), 0, 8, slots=1, sizing=TargetWait(30.0), scale_down=CALM),
    PoolPolicy("reports", ("reports",), 1, 6, slots=2, scale_down=CALM),
    PoolPolicy("thumbnails", ("thumbnails",), 0, 10, slots=8, scale_down=CALM),
)
SETTINGS = Policies("shop", INTERVAL, 24, {pool.name: pool for pool in POOLS}, "7f3c9a1e02bd")
LOADS = {"mail": (1.6, 1.5, 90), "video": (0.05, 35.0, 600), "reports": (0.25, 6.0, 240), "thumbnails": (5.0, 0.7, 120)}
"""Tasks per second in the middle, seconds of one, seconds between bursts."""
SOURCES = (("flower", 0.021), ("workers", 0.009), ("broker:redis", 0.002), ("fleet", 0.013))
PICTURES = (("overview", "dark", ""), ("pool", "light", "#/pools/mail"))


def arrivals(name: str) -> Trace:
    """An hour of tasks: a slow wave, and bursts on top; the same every time."""
    chance = random.Random(name)
    rate, seconds, apart = LOADS[name]
    at, moments = 0.0, []
    while at < HOUR:
        wave = 1.0 + 0.9 * (1 if int(at / (4 * apart)) % 2 else -1)
        at += chance.expovariate(max(0.02 * rate, rate * wave * (4.0 if at % apart < apart / 6 else 0.6)))
        moments.append(at)
    return Trace(array("d", moments), array("d", [seconds * chance.lognormvariate(0, 0.4) for _ in moments]))


class Worlds:
    """Four simulated worlds behind one door, at the time of day."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._worlds = {pool.name: World(pool, arrivals(pool.name), Boot(4.0, 0.3), seed) for seed, pool in enumerate(POOLS)}

    def look(self, policies: Policies, now: float) -> Observation:
        """All that the worlds show."""
        seen = []
        for name, world in self._worlds.items():
            world.advance(now - self._began)
            seen.append(world.look(replace(policies, pools={name: policies.pools[name]}), now - self._began))
        made = {c.name: replace(c, created_at=c.created_at + self._began) for one in seen for c in one.containers.value}
        queues = {name: replace(q, waiting=Known(q.waiting.value, now, "flower")) for one in seen for name, q in one.queues.items()}
        sources = tuple(SourceSight(name, True, "", seconds, now) for name, seconds in SOURCES)
        workers = {name: worker for one in seen for name, worker in one.workers.items()}
        return Observation(now, queues, workers, Known(tuple(made.values()), now, "fleet"), sources)

    def act(self, actions: tuple[Action, ...], now: float) -> tuple[Outcome, ...]:
        """Each in the world of its pool."""
        at = now - self._began
        done = [world.act(tuple(a for a in actions if a.pool == name), at) for name, world in self._worlds.items()]
        return tuple(replace(outcome, at=now) for outcomes in done for outcome in outcomes)


class Play:
    """The loop over the worlds: as fast as it goes until now, and from then on in real time."""

    def __init__(self, theatre: Theatre) -> None:
        self._theatre, self._began = theatre, time.time() - HOUR + 300
        self._worlds, self._memory, self._ticks = Worlds(self._began), Memory(), 0
        self.over = threading.Event()

    def catch_up(self) -> None:
        """Every tick that is due; what the last one saw is on the page."""
        while (now := self._began + self._ticks * INTERVAL) < time.time():
            record, self._memory = tick(SETTINGS, self._memory, self._worlds, self._worlds, now)
            self._theatre.journal.record(record, self._memory)
            self._ticks += 1
            if self._ticks % 100 == 0:
                self._theatre.journal.flush()
        config = ConfigState(SETTINGS.config_hash, self._began)
        told = Snapshot(self._began, SETTINGS, config, self._memory, record, tick_seconds=0.04, active_broker="redis")
        self._theatre.snapshot = told

    def go_on(self) -> None:
        """Until it is over."""
        while not self.over.wait(INTERVAL):
            self.catch_up()


def main(folder: Path) -> None:
    """Take them."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        theatre = Theatre(Path(place))
        theatre.open()
        play = Play(theatre)
        play.catch_up()
        threading.Thread(target=play.go_on, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, scheme, path in PICTURES:
            page = browser.new_page(viewport={"width": 1360, "height": 850}, color_scheme=scheme, reduced_motion="reduce")
            page.goto(f"{theatre.url}/{path}")
            page.locator(".charts canvas" if path else ".spark canvas").first.wait_for()
            page.wait_for_timeout(3000)
            page.screenshot(path=folder / f"page-{name}.png")
        play.over.set()
        theatre.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
