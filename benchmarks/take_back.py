"""Would taking a drain back ever pay? The most it could bring, on a folder of traces, beside a warm shutdown and a new start.

    python benchmarks/take_back.py TRACES_DIR [--boot 1 3 10] [--only NAME ...]

A drain that begins with `cancel-consumer` can be taken back with `add-consumer` until the worker is told to stop. This runs every
trace twice: as it is, and in a world in which a start that comes while a worker of the pool is still draining is answered by that
worker at once. That world flatters the idea in everything: the worker is taken back in `RECALL_SECONDS` with all its slots free,
what it still runs costs nothing, also the last second of one that has nothing left to finish counts, and neither the 67 commands of
cancelling and adding nor the longer drain (a cancelled worker first eats what it has prefetched) is charged.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

from policy import MOST_WORKERS, SLO_SECONDS, slots_of

from autoscaler.model import Policies, PoolPolicy, Sizing, TargetWait, Thresholds
from autoscaler.sim.arrivals import Trace, load_trace
from autoscaler.sim.run import Run, _run
from autoscaler.sim.score import Score, score_run
from autoscaler.sim.world import Boot, SimReplica, World

TICK_SECONDS = 1.0
RECALL_SECONDS = 0.03
SIZINGS: dict[str, Sizing] = {"thresholds up 0": Thresholds(up=0), "target_wait 10": TargetWait(10.0)}


class Recalling(World):
    """A world in which a drain may be taken back."""

    def __init__(self, policy: PoolPolicy, trace: Trace, boot: Boot) -> None:
        super().__init__(policy, trace, boot)
        self.recalled: dict[str, float] = {}
        """Draining replica -> when another took its place, as if it had come back."""
        self.saved_seconds = 0.0
        self._usual = boot
        self._boots = self._next_boot()

    def _next_boot(self):
        """At once where somebody can be taken back, else as long as a boot takes."""
        while True:
            leaving = next((r for r in self.replicas.values() if r.draining and r.ended is None and r.name not in self.recalled), None)
            if leaving:
                self.recalled[leaving.name] = self.now
            yield RECALL_SECONDS if leaving else self._usual.mean_seconds

    def _end(self, replica: SimReplica, _: int = -1) -> None:
        if replica.ended is None and replica.name in self.recalled:
            self.saved_seconds += self.now - self.recalled[replica.name]
        super()._end(replica)


@dataclass(frozen=True)
class Compared:
    """One trace under one setting, without and with drains taken back."""

    plain: Score
    recalling: Score
    recalls: int
    saved_seconds: float

    @property
    def cheaper(self) -> float:
        """Worker-seconds saved, as a share."""
        return 1.0 - (self.recalling.worker_seconds - self.saved_seconds) / self.plain.worker_seconds


def compare(trace: Trace, pool: PoolPolicy, boot: Boot) -> Compared:
    """The same trace in both worlds."""
    policies = Policies("benchmark", TICK_SECONDS, MOST_WORKERS, {"p": pool})
    worlds = (World(pool, trace, boot), Recalling(pool, trace, boot))
    runs: list[Run] = [_run(lambda _: policies, trace, world, skip=True) for world in worlds]
    plain, recalling = (score_run(run, pool.slots, SLO_SECONDS) for run in runs)
    return Compared(plain, recalling, len(worlds[1].recalled), worlds[1].saved_seconds)


def row(name: str, boot: float, sizing: str, m: Compared) -> str:
    """One comparison as a row of the decision's table."""
    a, b = m.plain, m.recalling
    share = m.recalls / max(1, b.starts or 0)
    waits = f"{a.wait_mean_s:7.3f} {b.wait_mean_s:7.3f} {a.wait_p99_s:8.2f} {b.wait_p99_s:8.2f}"
    return f"{name:<20} {boot:4g} {sizing:<16} {a.starts:6d} {m.recalls:6d} {share:6.1%} {waits} {m.cheaper:8.2%}"


def main() -> None:
    """All traces, boots and sizings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--boot", type=float, nargs="*", default=[1.0, 3.0, 10.0])
    parser.add_argument("--only", nargs="*", default=[])
    given = parser.parse_args()
    slots = slots_of(given.folder, None)
    print(f"{'trace':<20} boot {'sizing':<16} starts recall  share  mean s  mean's    p99 s   p99's  cheaper")
    totals: list[float] = []
    for path in sorted(given.folder.glob("*.csv")):
        if given.only and path.stem not in given.only:
            continue
        trace = load_trace(path)
        for boot in given.boot:
            for name, sizing in SIZINGS.items():
                pool = PoolPolicy("p", ("p",), 0, MOST_WORKERS, slots.get(path.stem, 1), sizing)
                measured = compare(trace, pool, Boot(boot))
                totals.append(measured.cheaper)
                print(row(path.stem, boot, name, measured), flush=True)
    print(f"mean saving of worker-seconds: {math.fsum(totals) / len(totals):.2%}")


if __name__ == "__main__":
    main()
