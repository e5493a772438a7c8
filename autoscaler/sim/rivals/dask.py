"""Dask's adaptive deployment: as many workers as get the expected work done in five seconds.

    cpu = ceil(expected seconds of all tasks that wait or run / target duration), at most one thread for each task
    workers = cpu / threads of a worker
    fewer than there are: the idle ones, each after it was proposed three times in a row

The expected seconds of a task are a moving average over those that have finished (half the last one, half the past), before that
twice the longest that any has run so far; a running task is expected to take its whole time again. Tasks that finish between two
looks enter the average as one, with their mean: with many short ones Dask itself swings more.

dask/distributed `distributed/scheduler.py` (`adaptive_target`, `workers_to_close`, `TaskPrefix.add_duration`),
`distributed/deploy/adaptive_core.py`, `distributed/distributed.yaml` (interval 1s, target-duration 5s, wait-count 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from autoscaler.sim.rivals.rival import Seen

TARGET_SECONDS = 5.0
UNKNOWN_SECONDS = 0.5
"""Of a task when none has run yet."""
PROPOSALS = 3


@dataclass(slots=True)
class Dask:
    """One adaptive cluster."""

    period_seconds: float = field(default=1.0, init=False)
    mean_seconds: float | None = field(default=None, init=False)
    """Of a task; None until the first has finished."""
    finished: int = field(default=0, init=False)
    finished_seconds: float = field(default=0.0, init=False)
    proposed: dict[str, int] = field(default_factory=dict, init=False)
    """How often in a row each worker was proposed for closing."""

    def want(self, seen: Seen) -> int:
        """More at once, fewer only by those that were idle at the last three looks."""
        self._learn(seen)
        target = self._target(seen)
        if target >= seen.count:
            self.proposed.clear()
            return target
        starting = [replica.name for replica in seen.replicas if not replica.ready][: seen.count - target]
        idle = [replica.name for replica in seen.replicas if replica.ready and not replica.running]
        closing = starting + (idle if target < seen.count - len(starting) else [])
        counts = {name: self.proposed.get(name, 0) + 1 for name in closing}
        self.proposed = {name: count for name, count in counts.items() if count < PROPOSALS}
        return seen.count - (len(counts) - len(self.proposed))

    def _target(self, seen: Seen) -> int:
        """`Scheduler.adaptive_target`."""
        tasks = seen.waiting + seen.running
        cpu = min(tasks, math.ceil(tasks * self._expected_seconds(seen) / TARGET_SECONDS))
        workers = math.ceil(cpu / seen.slots) if seen.ready else max(cpu, min(1, seen.waiting))
        if workers >= seen.ready:
            return workers
        return seen.ready - sum(1 for replica in seen.replicas if replica.ready and not replica.running)

    def _expected_seconds(self, seen: Seen) -> float:
        if self.mean_seconds is not None:
            return self.mean_seconds
        begun = [at for replica in seen.replicas for at in replica.running.values()]
        return max(2 * (seen.at - min(begun)), UNKNOWN_SECONDS) if begun else UNKNOWN_SECONDS

    def _learn(self, seen: Seen) -> None:
        fresh = seen.finished - self.finished
        if not fresh:
            return
        mean = (seen.finished_seconds - self.finished_seconds) / fresh
        past = 0.5**fresh
        self.mean_seconds = mean if self.mean_seconds is None else past * self.mean_seconds + (1 - past) * mean
        self.finished, self.finished_seconds = seen.finished, seen.finished_seconds
