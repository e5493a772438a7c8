"""What the policies cost and how long tasks wait, on a folder of traces: every CSV in it under five settings.

    python benchmarks/policy.py TRACES_DIR [--slots slots.json] [--only NAME] [--sizing NAME]

`--slots` is a JSON object, name of the trace -> tasks that one worker runs at once; a `MANIFEST.md` with a table whose columns
`trace` and `slots` say it is read by itself. Workers take 3 s to start, ticks are 1 s, at most 300 workers. Prints a line for each
run, and for each setting the geometric mean of its cost, as a multiple of the clairvoyant plan that lets nobody wait.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from autoscaler.model import Policies, PoolPolicy, Sizing, TargetWait, Thresholds
from autoscaler.sim.arrivals import load_trace
from autoscaler.sim.bounds import zero_wait
from autoscaler.sim.run import run
from autoscaler.sim.score import Score, score_run
from autoscaler.sim.world import STOP_SECONDS, Boot

START_SECONDS = 3.0
TICK_SECONDS = 1.0
MOST_WORKERS = 300
SLO_SECONDS = 30.0
SIZINGS: dict[str, Sizing] = {
    "target_wait 5": TargetWait(5.0),
    "target_wait 10": TargetWait(10.0),
    "target_wait 30": TargetWait(30.0),
    "thresholds up 0": Thresholds(up=0),
    "thresholds up 10": Thresholds(up=10),
}


@dataclass(frozen=True)
class Measured:
    """One trace under one setting."""

    score: Score
    cost: float
    """Worker-seconds as a multiple of the clairvoyant plan without waiting."""
    cpu_seconds: float
    ticks: int


def slots_of(folder: Path, given: Path | None) -> dict[str, int]:
    """Slots by name of the trace; what is not named has one."""
    if given:
        return json.loads(given.read_text())
    manifest = folder / "MANIFEST.md"
    if not manifest.exists():
        return {}
    rows = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in manifest.read_text().splitlines() if line.startswith("|")]
    head = next((row for row in rows if "trace" in row and "slots" in row), None)
    if head is None:
        return {}
    name, slots = head.index("trace"), head.index("slots")
    return {row[name]: int(row[slots]) for row in rows if len(row) == len(head) and row[slots].isdigit()}


def measure(path: Path, sizing: Sizing, slots: int) -> Measured:
    """Run one trace."""
    trace = load_trace(path)
    pool = PoolPolicy("p", ("p",), 0, MOST_WORKERS, slots, sizing)
    policies = Policies("benchmark", TICK_SECONDS, MOST_WORKERS, {"p": pool})
    began = time.process_time()
    done = run(lambda _: policies, trace, Boot(START_SECONDS))
    cpu = time.process_time() - began
    bound = zero_wait(trace, slots, START_SECONDS + STOP_SECONDS).worker_seconds
    score = score_run(done, slots, SLO_SECONDS)
    return Measured(score, score.worker_seconds / bound, cpu, done.ticks)


def line(name: str, sizing: str, m: Measured) -> str:
    """One run as a row."""
    s = m.score
    waits = f"{s.wait_mean_s:8.2f} {s.wait_p95_s:8.2f} {s.wait_max_s:8.2f}"
    speed = f"{s.tasks:7} tasks {m.ticks:8} ticks {m.cpu_seconds:6.1f} s CPU"
    return f"{name:<22} {sizing:<17} {m.cost:6.3f} {waits} {s.slo_met * 100:7.2f} {s.starts:7} {s.interrupted:4}   {speed}"


def summary(sizing: str, runs: list[Measured]) -> str:
    """All traces under one setting."""
    cost = math.exp(statistics.fmean(math.log(m.cost) for m in runs))
    p95s = [m.score.wait_p95_s for m in runs]
    longest, starts = max(m.score.wait_max_s for m in runs), sum(m.score.starts for m in runs)
    waits = f"p95 median {statistics.median(p95s):.2f} worst {max(p95s):.2f}  longest {longest:.2f}"
    slo = min(m.score.slo_met for m in runs) * 100
    return f"{sizing:<17} cost x zero wait {cost:.3f}  {waits}  worst in {SLO_SECONDS:g} s {slo:.2f} %  starts {starts}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slots", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--sizing", default="")
    args = parser.parse_args()
    slots = slots_of(args.folder, args.slots)
    sizings = {name: sizing for name, sizing in SIZINGS.items() if args.sizing in name}
    runs: dict[str, list[Measured]] = {name: [] for name in sizings}
    print(f"{'trace':<22} {'sizing':<17} {'cost':>6} {'mean':>8} {'p95':>8} {'longest':>8} {'in 30 s':>7} {'starts':>7} {'cut':>4}")
    for path in sorted(found for found in args.folder.glob("*.csv") if args.only in found.stem):
        for name, sizing in sizings.items():
            runs[name].append(measure(path, sizing, slots.get(path.stem, 1)))
            print(line(path.stem, name, runs[name][-1]), flush=True)
    print()
    for name, measured in runs.items():
        print(summary(name, measured))


if __name__ == "__main__":
    main()
