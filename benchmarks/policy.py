"""What the policies cost and how long tasks wait, on a folder of traces: every CSV in it, under every setting and every rival.

    python benchmarks/policy.py TRACES_DIR [--only NAME] [--quick] [--slots slots.json] [--report FILE]

`--slots` is a JSON object, name of the trace -> tasks that one worker runs at once; a `MANIFEST.md` with a table whose columns
`trace` and `slots` say it is read by itself. Workers take 3 s to start, looks are 1 s apart, at most 300 workers, unless a row says
otherwise. Costs are worker-seconds as a multiple of the clairvoyant plan that lets nobody wait, over all traces as a geometric mean.
`--quick` leaves out the rivals and the robustness rows; `--report` writes the same as Markdown.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autoscaler.model import Damping, Policies, PoolPolicy, Sizing, TargetWait, Thresholds
from autoscaler.sim.arrivals import load_trace
from autoscaler.sim.bounds import within_target, zero_wait
from autoscaler.sim.rivals.catalog import CATALOG
from autoscaler.sim.rivals.contest import contest
from autoscaler.sim.run import run
from autoscaler.sim.score import Score, score_run
from autoscaler.sim.world import CALM, STOP_SECONDS, Boot, Conditions

MOST_WORKERS = 300
SLO_SECONDS = 30.0


@dataclass(frozen=True)
class Setting:
    """One row of the report."""

    name: str
    sizing: Sizing | None = None
    """None: a rival of that name, or a plan."""
    boot_seconds: float = 3.0
    boot_spread: float = 0.0
    interval_seconds: float = 1.0
    conditions: Conditions = CALM
    stabilization_seconds: float | None = None
    """For scaling down; None: automatic."""
    spare: int = 0
    blind_seconds: float = 0.0
    """Flower is away for so long in the middle of the trace."""
    goal: float | None = None
    """The cost to reach."""
    longest: float | None = None
    """The longest wait that any task may have."""
    rival: str = ""
    """Whose policy it is, where it is not ours."""


OURS = (
    Setting("target_wait 10s", TargetWait(10.0), goal=0.97, longest=11.0),
    Setting("target_wait 30s", TargetWait(30.0), goal=0.85, longest=30.0),
    Setting("target_wait 5s", TargetWait(5.0), goal=1.05, longest=6.0),
    Setting("thresholds up 0", Thresholds(up=0), goal=1.10),
    Setting("thresholds up 10", Thresholds(up=10), goal=1.03),
)
READY = Setting("thresholds up 0, spare 1", Thresholds(up=0), spare=1)
"""One replica more than needed, while there is any work."""
BRIEF = Setting("target_wait 4s, stabilization 4s", TargetWait(4.0), stabilization_seconds=4.0)
"""A short target, and a window of one restart: nearly every start is one of its own."""
ROBUSTNESS = (
    Setting("start drawn, half of it chance", TargetWait(10.0), boot_spread=0.5, longest=15.0),
    Setting("start drawn, nine tenths chance", TargetWait(10.0), boot_spread=0.9, longest=15.0),
    Setting("looks 2 s apart", TargetWait(10.0), interval_seconds=2.0, longest=17.0),
    Setting("looks 5 s apart", TargetWait(10.0), interval_seconds=5.0, longest=23.0),
    Setting("starts take 10 s, target_wait 10s", TargetWait(10.0), boot_seconds=10.0, longest=22.0),
    Setting("starts take 10 s, target_wait 30s", TargetWait(30.0), boot_seconds=10.0, longest=42.0),
    Setting("starts said to take 0.3 of it", TargetWait(10.0), conditions=Conditions(told_boot=0.3), longest=15.0),
    Setting("starts said to take 2 x as long", TargetWait(10.0), conditions=Conditions(told_boot=2.0), longest=15.0),
    Setting("workers prefetch 1 a slot", TargetWait(10.0), conditions=Conditions(prefetch=1)),
    Setting("workers prefetch 2 a slot", TargetWait(10.0), conditions=Conditions(prefetch=2)),
    Setting("workers prefetch 4 a slot", TargetWait(10.0), conditions=Conditions(prefetch=4)),
    Setting("blind for 5 minutes in the middle", TargetWait(10.0), blind_seconds=300.0),
)
SPARING = tuple(
    Setting(f"target_wait 10s, stabilization {s}s", TargetWait(10.0), stabilization_seconds=float(s)) for s in (16, 32, 44)
)
"""Fewer starts for more idle seconds: a window that is written down keeps all that was needed."""
FRONT = (5, 10, 15, 20, 30)
"""Targets in seconds, whose costs are held against plans for the same targets."""
BETWEEN = tuple(Setting(f"target_wait {s}s", TargetWait(float(s))) for s in FRONT if f"target_wait {s}s" not in {o.name for o in OURS})
PLANS = (Setting("clairvoyant, nobody waits"), *(Setting(f"clairvoyant, {s} s") for s in FRONT))
RIVALS = tuple(Setting(name, rival=name) for name in CATALOG)
QUICKEST = ("target_wait 5s", "dask_adaptive")
"""Ours and the one rival that is about as quick, held against each other trace by trace."""
LATE = ", starts take 10 s"
QUICKEST_LATE = tuple(
    replace(s, name=s.name + LATE, boot_seconds=10.0, goal=None, longest=None) for s in (*OURS, *RIVALS) if s.name in QUICKEST
)
"""The same where a start takes twice as long as tasks may wait."""
READY_LATE = replace(READY, name=READY.name + LATE, boot_seconds=10.0)

AS_QUICK = {
    QUICKEST[1]: (*OURS, *BETWEEN, READY, BRIEF),
    QUICKEST_LATE[1].name: (QUICKEST_LATE[0], READY_LATE, *(s for s in ROBUSTNESS if "starts take 10 s" in s.name)),
}
"""What of ours may stand beside the rival where it is as quick."""
AS_QUICK_SECONDS = 0.3
"""So much later may 95 % of tasks have begun, and still count as equally quick: less than a third of what a look takes to come."""

CHAPTERS = (
    ("Ours", (*OURS, READY, BRIEF)),
    ("Fewer starts", SPARING),
    ("Who knows the future", PLANS),
    ("Rivals", RIVALS),
    ("Robustness (target_wait 10s)", ROBUSTNESS),
)


@dataclass(frozen=True)
class Measured:
    """One trace under one setting."""

    trace: str
    setting: str
    cost: float
    """Worker-seconds as a multiple of the clairvoyant plan without waiting."""
    p95: float
    longest: float
    in_slo: float
    starts: int
    interrupted: int
    undone: int
    cpu_seconds: float


def measure(job: tuple[Path, Setting, int]) -> Measured:
    """Run one trace under one setting."""
    path, setting, slots = job
    trace, boot = load_trace(path), Boot(setting.boot_seconds, setting.boot_spread)
    restart = setting.boot_seconds + STOP_SECONDS
    bound = zero_wait(trace, slots, restart).worker_seconds
    began = time.process_time()
    if setting in PLANS:
        allowed = 0.0 if "nobody" in setting.name else float(setting.name.split()[-2])
        plan = within_target(trace, slots, restart, allowed) if allowed else zero_wait(trace, slots, restart)
        waits = sorted(plan.waits)
        p95, starts = waits[int(0.95 * (len(waits) - 1))], len(plan.periods)
        cost, in_slo = plan.worker_seconds / bound, sum(wait <= SLO_SECONDS for wait in waits) / len(waits)
        return Measured(path.stem, setting.name, cost, p95, waits[-1], in_slo, starts, 0, 0, time.process_time() - began)
    down = Damping(stabilization_seconds=setting.stabilization_seconds)
    pool = PoolPolicy("p", ("p",), 0, MOST_WORKERS, slots, setting.sizing or Thresholds(), scale_down=down, spare=setting.spare)
    policies = Policies("benchmark", setting.interval_seconds, MOST_WORKERS, {"p": pool})
    rival = CATALOG.get(setting.rival)
    middle, conditions = trace.arrivals[-1] / 2, setting.conditions
    if setting.blind_seconds:
        conditions = replace(conditions, blind=(middle, middle + setting.blind_seconds))
    done = contest(rival, lambda _: policies, trace, boot, 0) if rival else run(lambda _: policies, trace, boot, conditions=conditions)
    s: Score = score_run(done, slots, SLO_SECONDS)
    cpu = time.process_time() - began
    return Measured(
        path.stem, setting.name, s.worker_seconds / bound, s.wait_p95_s or 0.0, s.wait_max_s or 0.0, s.slo_met or 0.0, s.starts or 0,
        s.interrupted, s.tasks - s.done, cpu,
    )  # fmt: skip


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


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def mean(values: Iterable[float]) -> float:
    """The geometric mean."""
    return math.exp(statistics.fmean(math.log(value) for value in values))


HEAD = ("policy", "cost", "p95 s (median)", "p95 s (worst)", "longest s", "in 30 s (worst)", "starts", "interrupted", "never done")


def over_all(setting: str, runs: Sequence[Measured]) -> list[str]:
    """All traces under one setting."""
    mine = [m for m in runs if m.setting == setting]
    p95 = [m.p95 for m in mine]
    return [
        setting, f"{mean(m.cost for m in mine):.3f}", f"{statistics.median(p95):.1f}", f"{max(p95):.1f}",
        f"{max(m.longest for m in mine):.1f}", f"{min(m.in_slo for m in mine) * 100:.2f} %", f"{sum(m.starts for m in mine):,}",
        f"{sum(m.interrupted for m in mine):,}", f"{sum(m.undone for m in mine):,}",
    ]  # fmt: skip


def goals(runs: Sequence[Measured]) -> list[Sequence[str]]:
    """Each goal beside what was reached."""
    rows = []
    for setting in (s for s in OURS if s.goal):
        mine = [m for m in runs if m.setting == setting.name]
        cost, longest = mean(m.cost for m in mine), max(m.longest for m in mine)
        kept = "" if setting.longest is None else f"{longest:.1f} s of {setting.longest:g} s"
        met = cost <= (setting.goal or 0) and (setting.longest is None or longest <= setting.longest + 1e-6)
        rows.append((setting.name, f"{cost:.3f}", f"{setting.goal:.2f}", kept, "met" if met else "missed"))
    return rows


FRONT_HEAD = (
    "target", "cost", "p95 s (median)", "longest s", "starts", "who knows the future", "starts", "above that", "a second more saves",
)  # fmt: skip


def front(runs: Sequence[Measured]) -> list[list[str]]:
    """What each target costs, and what it would cost somebody who knows every task beforehand."""
    rows, before = [], 0.0
    for place, seconds in enumerate(FRONT):
        mine = [m for m in runs if m.setting == f"target_wait {seconds}s"]
        plans = [m for m in runs if m.setting == f"clairvoyant, {seconds} s"]
        cost, least = mean(m.cost for m in mine), mean(m.cost for m in plans)
        saves = f"{(1 - (cost / before) ** (1 / (seconds - FRONT[place - 1]))) * 100:.2f} %" if place else ""
        rows.append(
            [
                f"{seconds} s", f"{cost:.3f}", f"{statistics.median(m.p95 for m in mine):.1f}", f"{max(m.longest for m in mine):.1f}",
                f"{sum(m.starts for m in mine):,}", f"{least:.3f}", f"{sum(m.starts for m in plans):,}",
                f"{(cost / least - 1) * 100:.1f} %", saves,
            ]
        )  # fmt: skip
        before = cost
    return rows


def beside_the_quickest(runs: Sequence[Measured], traces: Sequence[str]) -> list[str]:
    """A table for the usual starts, and one for late ones."""
    found = {(m.trace, m.setting): m for m in runs}
    lines = []
    for names in (QUICKEST, tuple(s.name for s in QUICKEST_LATE)):
        rows = []
        for trace in traces:
            ours, theirs = (found[trace, name] for name in names)
            cells = (f"{m.cost:.3f} / {m.p95:.1f} / {m.longest:,.1f} / {m.starts:,}" for m in (ours, theirs))
            rows.append((trace, *cells, f"{ours.cost / theirs.cost:.3f}", *as_quick(theirs, found)))
        lines += [*table(("trace", *names, "cost, ratio", "cheapest of ours that is as quick", "cost, ratio"), rows), ""]
    return lines


def as_quick(theirs: Measured, found: Mapping[tuple[str, str], Measured]) -> tuple[str, str]:
    """What of ours costs least among the settings whose p95 is about as short as theirs, and the ratio of costs."""
    mine = [found[theirs.trace, s.name] for s in AS_QUICK[theirs.setting]]
    quick = [m for m in mine if m.p95 <= theirs.p95 + AS_QUICK_SECONDS]
    if not quick:
        return "none", ""
    best = min(quick, key=lambda m: m.cost)
    return f"{best.setting.removesuffix(LATE)}: {best.cost:.3f} / {best.p95:.1f}", f"{best.cost / theirs.cost:.3f}"


def report(runs: Sequence[Measured], traces: Sequence[str]) -> list[str]:
    """The whole as Markdown, ratios first."""
    names = {m.setting for m in runs}
    lines = ["## Goals", "", *table(("policy", "cost", "goal", "longest wait", ""), goals(runs)), "", f"Traces: {', '.join(traces)}.", ""]
    lines += ["## What each second costs", "", *table(FRONT_HEAD, front(runs)), ""]
    for title, settings in CHAPTERS:
        rows = [over_all(s.name, runs) for s in settings if s.name in names]
        if rows:
            lines += [f"## {title}", "", *table(HEAD, sorted(rows, key=lambda row: float(row[1])) if settings is RIVALS else rows), ""]
    if names.issuperset(s.name for s in QUICKEST_LATE):
        lines += ["## Beside the quickest rival: cost / p95 s / longest s / starts", "", *beside_the_quickest(runs, traces)]
    costs = {(m.trace, m.setting): m for m in runs}
    per = [(t, *(f"{costs[t, s.name].cost:.3f} / {costs[t, s.name].p95:.1f} / {costs[t, s.name].starts:,}" for s in OURS)) for t in traces]
    lines += ["## Each trace: cost / p95 s / starts", "", *table(("trace", *(s.name for s in OURS)), per), ""]
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slots", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", type=Path)
    args = parser.parse_args()
    slots = slots_of(args.folder, args.slots)
    paths = sorted(found for found in args.folder.glob("*.csv") if args.only in found.stem)
    if not paths:
        parser.error(f"{args.folder} holds no CSV file whose name has {args.only!r} in it")
    more = () if args.quick else (READY, BRIEF, *SPARING, *RIVALS, *ROBUSTNESS, *QUICKEST_LATE, READY_LATE)
    settings = (*OURS, *BETWEEN, *PLANS, *more)
    jobs = [(path, setting, slots.get(path.stem, 1)) for setting in settings for path in paths]
    runs = []
    with multiprocessing.Pool() as pool:
        for done in pool.imap(measure, jobs):
            runs.append(done)
            print(f"{done.trace:<22} {done.setting:<34} {done.cost:6.3f}  {done.cpu_seconds:6.1f} s CPU", file=sys.stderr, flush=True)
    text = "\n".join(report(runs, [path.stem for path in paths]))
    print(text)
    if args.report:
        args.report.write_text(text + "\n")


if __name__ == "__main__":
    main()
