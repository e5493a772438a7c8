"""A trace lived and the same trace simulated: how far the simulator is from the truth, and why.

    python benchmarks/lived.py TRACE.csv [--slots 1] [--target 10] [--minutes 20] [--report FILE]

Lived is real: Redis, Flower, Celery workers as local processes and the daemon, in real time. The simulator then gets the start
times that the real workers had, one after the other, and every task's arrival and runtime. Both are told side by side: waits,
worker-seconds, starts; and what the real parts took that the simulator does not know or takes as fixed.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "real"), str(Path(__file__).parent)]

from house import House  # noqa: E402
from live import a_redis  # noqa: E402

from autoscaler.model import Policies, PoolPolicy, TargetWait  # noqa: E402
from autoscaler.sim.arrivals import Trace, load_trace  # noqa: E402
from autoscaler.sim.run import run  # noqa: E402
from autoscaler.sim.world import STOP_SECONDS, Boot  # noqa: E402

MOST_WORKERS = 60
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Measured(Boot):
    """Start times as they were, in order; when there are no more, their mean."""

    each: tuple[float, ...] = ()

    def draws(self, seed: int) -> Iterator[float]:
        """All of them, whatever the seed."""
        yield from self.each
        while True:
            yield self.mean_seconds


@dataclass
class Life:
    """One worker process."""

    pid: int
    born: float
    ready: float
    gone: float | None = None


@dataclass
class Account:
    """What became of a trace, lived or simulated."""

    waits: Sequence[float]
    worker_seconds: float
    starts: int
    extra: dict[str, str] = field(default_factory=dict)


def live(trace: Trace, slots: int, target: float) -> tuple[Account, Measured]:
    """In real time, on real parts."""
    with tempfile.TemporaryDirectory() as text, a_redis(Path(text)) as url:
        house = House(Path(text), url)
        flags = ["-Q", "work", "-c", str(slots), "--without-mingle", "--without-gossip"]
        worker = {
            "command": [sys.executable, "-m", "celery", "-A", "livedapp", "worker", *flags],
            "working_dir": str(Path(__file__).parent),
            "environment": {"PYTHONPATH": str(ROOT)},
            "metrics_port": 9100,
        }
        replicas = {"min": 0, "max": MOST_WORKERS}
        pool = {"queues": ["work"], "replicas": replicas, "slots": slots, "target_wait": f"{target:g}s", "worker": worker}
        house.write({"work": pool}, max_replicas=MOST_WORKERS)
        try:
            house.start_flower()
            house.start_daemon()
            return _play(house, trace)
        finally:
            house.close()


def _play(house: House, trace: Trace) -> tuple[Account, Measured]:
    import livedapp

    lives: dict[str, Life] = {}
    sent: list[float] = []
    begins = time.time() + 1.0
    with livedapp.app.connection_for_write(house.redis_url) as connection:
        while not (len(sent) == len(trace) and _is_over(house, lives, len(trace))):
            while len(sent) < len(trace) and time.time() >= begins + trace.arrivals[len(sent)]:
                sent.append(time.time())
                livedapp.work.apply_async((len(sent) - 1, trace.runtimes[len(sent) - 1]), queue="work", connection=connection)
            _follow(house, lives)
            time.sleep(POLL_SECONDS)
    started, finished = (dict(json.loads(line) for line in house.redis.lrange(what, 0, -1)) for what in ("started", "finished"))
    assert len(finished) == len(trace), "a task was lost"
    waits = [started[i] - sent[i] for i in range(len(trace))]
    boots = [life.ready - life.born for life in sorted(lives.values(), key=lambda life: life.born)]
    over = [finished[i] - started[i] - trace.runtimes[i] for i in range(len(trace))]
    quick = sorted(waits)[: max(1, len(waits) // 4)]
    extra = {
        "start of a worker": f"{statistics.fmean(boots):.2f} s on average, {min(boots):.2f} to {max(boots):.2f} s",
        "and by how many others began within a second of it": _crowding(lives.values()),
        "a task that finds a free slot starts after": f"{statistics.median(quick):.3f} s (simulated: 0)",
        "a task takes longer than it sleeps by": f"{statistics.fmean(over):.3f} s on average",
    }
    total = sum((life.gone or time.time()) - life.born for life in lives.values())
    return Account(waits, total, len(lives), extra), Measured(statistics.fmean(boots), 0.0, tuple(boots))


def _crowding(lives: Collection[Life]) -> str:
    """How long starts took by how many others began within a second of them, as all share the cores."""
    beside = [(life.ready - life.born, sum(abs(other.born - life.born) <= 1.0 for other in lives) - 1) for life in lives]
    told = []
    for words, least, most in (("alone", 0, 0), ("beside one to four", 1, 4), ("beside more", 5, MOST_WORKERS)):
        boots = [boot for boot, others in beside if least <= others <= most]
        told += [f"{words} {statistics.fmean(boots):.2f} s ({len(boots)})"] if boots else []
    return ", ".join(told)


def _follow(house: House, lives: dict[str, Life]) -> None:
    for line in house.redis.lrange("workers", len(lives), -1):
        name, pid, born, ready = json.loads(line)
        lives[name] = Life(pid, born, ready)
    for life in lives.values():
        if life.gone is None and _has_ended(life.pid):
            life.gone = time.time()


def _has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _is_over(house: House, lives: dict[str, Life], tasks: int) -> bool:
    done = house.redis.llen("finished") == tasks
    return bool(done and lives and all(life.gone for life in lives.values()) and not house.pids())


def simulated(trace: Trace, slots: int, target: float, boot: Boot) -> Account:
    """The same in the simulator."""
    policies = Policies("lived", 1.0, MOST_WORKERS, {"work": PoolPolicy("work", ("work",), 0, MOST_WORKERS, slots, TargetWait(target))})
    done = run(lambda _: policies, trace, boot)
    return Account(done.world.waits, done.world.worker_seconds, done.world.starts)


def report(trace: Path, real: Account, accounts: dict[str, Account]) -> list[str]:
    """Side by side, as Markdown."""
    lines = [f"# {trace.stem}, lived and simulated", "", f"{len(real.waits)} tasks.", ""]
    lines += ["| | worker-seconds | starts | mean wait | p50 | p95 | longest |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for name, account in {"lived": real, **accounts}.items():
        waits = sorted(account.waits)
        p50, p95 = (waits[int(q * (len(waits) - 1))] for q in (0.5, 0.95))
        ratio = f"{account.worker_seconds:,.0f} ({account.worker_seconds / real.worker_seconds:.3f} x)"
        seconds = " | ".join(f"{wait:.2f} s" for wait in (statistics.fmean(waits), p50, p95, waits[-1]))
        lines.append(f"| {name} | {ratio} | {account.starts} | {seconds} |")
    lines += ["", "What the real parts took:", "", *(f"- {what}: {figure}" for what, figure in real.extra.items())]
    lines += [f"- the simulator lets a worker leave {STOP_SECONDS:g} s after its last task"]
    return lines


def main() -> None:
    """Live it, simulate it, tell both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", type=Path)
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--target", type=float, default=10.0)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--report", type=Path)
    args = parser.parse_args()
    whole = load_trace(args.trace)
    count = sum(at <= args.minutes * 60 for at in whole.arrivals)
    trace = Trace(array("d", whole.arrivals[:count]), array("d", whole.runtimes[:count]))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that workers are not left behind
    real, boots = live(trace, args.slots, args.target)
    accounts = {
        "simulated, starts as they were": simulated(trace, args.slots, args.target, boots),
        f"simulated, starts of {boots.mean_seconds:.1f} s": simulated(trace, args.slots, args.target, Boot(boots.mean_seconds)),
    }
    text = "\n".join(report(args.trace, real, accounts))
    print(text)
    if args.report:
        args.report.write_text(text + "\n")


if __name__ == "__main__":
    main()
