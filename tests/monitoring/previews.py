"""Previews of the four dashboards: their own JSON, drawn with what a real Prometheus answers that follows a real daemon at work.

    python tests/monitoring/previews.py [FOLDER] [--seconds 200]

Run by hand where the boards changed. A Grafana cannot be had by the tests (docs/decisions/0018), so `preview.html` draws the panels: the
queries, variables, units, colours, words and places are those of the boards, the strokes are ours, and each picture says so.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import itertools
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from boards_read import DASHBOARDS, asked, load
from live import ROOT, a_redis
from playwright.sync_api import sync_playwright
from prometheus_server import Prometheus, a_prometheus
from scene import House, a_pool, broken

STEP = 2
RATE = "12s"
"""What Grafana would take for `$__rate_interval` here is four scrapes; a little more is smoother."""
POOL = "mail"
BURSTS = (("mail", 10, 1.5), ("video", 3, 8.0), ("mail", 5, 1.0), ("mail", 14, 1.2), ("video", 4, 6.0))
"""Queue, tasks, and seconds of each."""
APART_SECONDS = 13.0


def play(house: House, seconds: float) -> None:
    """Bursts come and go; in the middle Flower is gone for a while, and a pool cannot start at all."""
    pools = {"mail": a_pool("mail", slots=2, most=3), "video": a_pool("video", most=2), "broken": broken("broken")}
    brokers = [{"name": "primary", "url": house.redis_url, "budget": "20000/day"}]
    house.write(pools, brokers=brokers)
    house.start_flower()
    house.start_daemon()
    began, number = time.time(), itertools.count(step=100)
    for i, (queue, count, length) in enumerate(itertools.cycle(BURSTS)):
        if time.time() > began + seconds:
            break
        house.send(queue, count, length, first=next(number))
        if i == 6:
            house.send("broken", 1, 0.1, first=next(number))
        if house.flower and i == 9:
            house.flower.terminate()
            house.flower.wait(10)
        if i == 11:
            house.start_flower()
        time.sleep(APART_SECONDS)
    house.write(pools | {"mail": a_pool("mail", slots=2, most=2)}, brokers=brokers)
    time.sleep(APART_SECONDS)


def told(prometheus: Prometheus, target: dict[str, Any], board: dict[str, Any], begins: float, ends: float) -> Iterator[dict[str, Any]]:
    """The series of one query, named as its legend says."""
    only_one = board["uid"] == "celery-autoscaler-pool"
    expression = asked(target["expr"].replace("$pool", POOL) if only_one else target["expr"], rate=RATE, span=f"{ends - begins:.0f}s")
    for series in prometheus.curve(expression, begins, ends, STEP):
        legend = target["legendFormat"]
        for name in re.findall(r"\{\{(\w+)\}\}", legend):
            legend = legend.replace(f"{{{{{name}}}}}", series["metric"].get(name, ""))
        values = [[float(at), float(value)] for at, value in series["values"] if value != "NaN"]
        if values:
            yield {"legend": legend, "values": values}


def marked(prometheus: Prometheus, board: dict[str, Any], begins: float, ends: float) -> Iterator[dict[str, Any]]:
    """Where the annotations of a board begin."""
    colours = {"blue": "#5794f2", "orange": "#ff9830", "red": "#f2495c"}
    for note in board["annotations"]["list"]:
        if "expr" not in note:
            continue
        expression = asked(note["expr"].replace("$pool", POOL), rate=RATE, span=f"{ends - begins:.0f}s")
        for series in prometheus.curve(expression, begins, ends, STEP):
            times = [float(at) for at, _ in series["values"]]
            for before, at in itertools.pairwise([-1.0, *times]):
                if at - before > 2 * STEP:
                    yield {"at": at, "colour": colours[note["iconColor"]]}


def gathered(prometheus: Prometheus, board: dict[str, Any], begins: float, ends: float) -> dict[str, Any]:
    """Everything that one picture shows."""
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    answers = {p["id"]: [s for t in p["targets"] for s in told(prometheus, t, board, begins, ends)] for p in panels}
    variables = [v for v in board["templating"]["list"] if v["name"] != "datasource"]
    chosen = [(v["label"], "0.20" if v["type"] == "textbox" else "All" if v["multi"] else POOL) for v in variables]
    times = [begins + STEP * i for i in range(int((ends - begins) / STEP) + 1)]
    notes = list(marked(prometheus, board, begins, ends))
    return {"board": board, "answers": answers, "chosen": chosen, "times": times, "notes": notes}


@contextmanager
def files() -> Iterator[str]:
    """The repository over HTTP: modules are not loaded from files."""
    handler = functools.partial(_Quiet, directory=str(ROOT))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def draw(prometheus: Prometheus, begins: float, ends: float, folder: Path) -> None:
    """One picture of each board."""
    with files() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for path in DASHBOARDS:
            page = browser.new_page(viewport={"width": 1600, "height": 900}, timezone_id="UTC")
            page.goto(f"{url}/tests/monitoring/preview.html")
            page.wait_for_function("() => Boolean(window.draw)")
            page.evaluate("told => window.draw(told)", gathered(prometheus, load(path), begins, ends))
            page.screenshot(path=folder / f"grafana-{path.stem}.png", full_page=True)
        browser.close()


def main() -> None:
    """Play, ask, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--seconds", type=float, default=200)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, a_redis(Path(place)) as redis_url:
        os.environ["CELERY_BROKER_URL"] = redis_url
        house = House(Path(place), redis_url)
        try:
            with a_prometheus(Path(place) / "prometheus", f"127.0.0.1:{house.port}") as prometheus:
                began = round(time.time())
                play(house, wanted.seconds)
                draw(prometheus, float(began), float(round(time.time())), wanted.folder)
        finally:
            house.close()


if __name__ == "__main__":
    main()
