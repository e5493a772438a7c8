"""What a decision costs: `decide` and `remember` for a thousand pools, on looks made beforehand.

    python benchmarks/decide.py [--pools 1000] [--ticks 30]

Of ten pools two are at zero, three keep two idle workers, four have up to five busy ones, and one has more waiting than it may
start workers for; each tick tasks begin and end, and a burst reaches every fiftieth pool. All three ways to size are
there. Prints CPU milliseconds for one tick, and the ratio of the median to the limit of 50 ms for a decision.
"""

from __future__ import annotations

import argparse
import statistics
import time

from autoscaler.collector import collect_seldom
from autoscaler.model import (
    BacklogPerReplica,
    Container,
    ContainerState,
    Decision,
    Known,
    Memory,
    Observation,
    Outcome,
    Policies,
    PoolPolicy,
    QueueSight,
    Record,
    Result,
    SourceSight,
    TargetWait,
    Thresholds,
    Unknown,
    WorkerSight,
)
from autoscaler.policy.decide import decide
from autoscaler.policy.memory import remember

LIMIT_MS = 50.0
START = 1_000_000.0
INTERVAL_SECONDS = 2.0
SIZINGS = (Thresholds(), TargetWait(10.0), BacklogPerReplica(5.0))


def a_policy(i: int) -> PoolPolicy:
    """One pool of the mix."""
    idle = 2 <= i % 10 < 5
    most = 1 + i % 5 if i % 10 == 9 else 10
    return PoolPolicy(f"pool{i}", (f"queue{i}",), 2 if idle else 0, most, slots=4, sizing=SIZINGS[i % 3])


def busy_replicas(i: int) -> tuple[int, int]:
    """(replicas, tasks that each runs) of one pool of the mix."""
    match i % 10:
        case 0 | 1:
            return 0, 0
        case 2 | 3 | 4:
            return 2, 0
        case 9:
            return 1 + i % 5, 4
        case 5:
            return 1, 1 + i % 4
    return 1 + i % 5, 4


def waiting(i: int, tick: int) -> int:
    """Tasks that wait in one pool at one tick."""
    if (i + tick) % 50 == 0:
        return 9
    return 20 if i % 10 == 9 else 0


def a_look(pools: int, tick: int) -> Observation:
    """Everything that is seen at one tick."""
    now = START + INTERVAL_SECONDS * tick
    containers, workers = [], {}
    for i in range(pools):
        count, running = busy_replicas(i)
        for n in range(count):
            name = f"autoscaler-pool{i}-{n:06x}"
            made = START - 600.0 - n
            containers.append(Container(f"id{i}-{n}", name, f"pool{i}", ContainerState.RUNNING, made, "spec"))
            workers[f"celery@{name}"] = a_voice(name, running, running * (100 + tick), now)
    queues = {f"queue{i}": QueueSight(f"queue{i}", Known(waiting(i, tick), now, "broker")) for i in range(pools)}
    sources = tuple(SourceSight(source, True, "", 0.01, now) for source in ("flower", "broker", "fleet"))
    return Observation(now, queues, workers, Known(tuple(containers), now, "fleet"), sources)


def a_voice(name: str, running: int, finished: int, now: float) -> WorkerSight:
    """A worker that runs so many tasks and has finished so many."""
    none = Unknown("nobody tells")
    counts = [Known(n, now, "flower") for n in (running, 0, finished + running, finished)]
    return WorkerSight(
        name=f"celery@{name}",
        online=Known(True, now, "flower"),
        running=counts[0],
        reserved=counts[1],
        scheduled=none,
        draining=none,
        slots=none,
        started=counts[2],
        finished=counts[3],
    )


def milliseconds(policies: Policies, looks: list[Observation]) -> tuple[list[float], list[float], Decision]:
    """CPU of each `decide` and each `remember`, and the last decision."""
    memory, deciding, remembering = Memory(), [], []
    for look in looks:
        began = time.process_time()
        decision = decide(policies, look, memory, look.at)
        between = time.process_time()
        outcomes = tuple(Outcome(action, Result.NOTHING_TO_DO, look.at) for action in decision.actions)
        record = Record(look.at, "", look, decision, outcomes)
        told = time.process_time()
        memory = remember(memory, record)
        deciding.append((between - began) * 1000)
        remembering.append((time.process_time() - told) * 1000)
    return deciding, remembering, decision


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pools", type=int, default=1000)
    parser.add_argument("--ticks", type=int, default=30)
    args = parser.parse_args()
    policies = Policies("autoscaler", INTERVAL_SECONDS, 100_000, {p.name: p for p in map(a_policy, range(args.pools))})
    looks = [a_look(args.pools, tick) for tick in range(args.ticks)]
    collect_seldom()  # as the daemon does; the looks of all ticks are not part of any
    deciding, remembering, last = milliseconds(policies, looks)
    replicas = sum(pool.current for pool in last.pools)
    print(f"{args.pools} pools, {replicas} replicas, {len(last.actions)} actions in the last of {args.ticks} ticks; CPU of one tick")
    for name, spent in (("decide", deciding), ("remember", remembering)):
        least, middle, most = min(spent), statistics.median(spent), max(spent)
        print(f"{name:<9} least {least:6.1f} ms  median {middle:6.1f} ms  most {most:6.1f} ms  {middle / LIMIT_MS:5.2f} x the limit")


if __name__ == "__main__":
    main()
