"""What a rival is shown, with boring defaults, for the tests of single rivals."""

from __future__ import annotations

from collections.abc import Iterable

from autoscaler.sim.rivals.rival import Rival, Seen
from autoscaler.sim.world import SimReplica


def replicas(busy: Iterable[int], starting: int = 0) -> list[SimReplica]:
    """Ready replicas that run so many tasks each, then some that boot; the oldest first."""
    ready = [SimReplica(f"r{n}", float(n), dict.fromkeys(range(tasks), 0.0), ready=True) for n, tasks in enumerate(busy)]
    return ready + [SimReplica(f"s{n}", 1000.0 + n) for n in range(starting)]


def seen(at: float, waiting: int = 0, busy: Iterable[int] = (), starting: int = 0, **more) -> Seen:
    """One moment; nothing leaves, one slot each."""
    here = replicas(busy, starting)
    running = sum(len(replica.running) for replica in here)
    shown = {"oldest_wait_seconds": 0.0, "running": running, "slots": 1, "finished": 0, "finished_seconds": 0.0, **more}
    return Seen(at, waiting, running_here=running, replicas=here, ready=len(here) - starting, **shown)


def course(rival: Rival, moments: Iterable[tuple[int, int]], count: int = 0) -> list[int]:
    """The counts that a rival leaves behind it, looking at its period at (waiting, running) tasks; replicas are ready at once."""
    counts = []
    for look, (waiting, running) in enumerate(moments):
        busy = [running // count + (n < running % count) for n in range(count)] if count else []
        count = rival.want(seen(look * rival.period_seconds, waiting, busy, running=running))
        counts.append(count)
    return counts
