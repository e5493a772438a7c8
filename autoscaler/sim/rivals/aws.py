"""AWS target tracking on the backlog per worker, on an ECS service.

    metric = tasks that wait / workers that run, once a minute
    target = acceptable latency / mean runtime of a task * slots, at least one task
    above the target for 3 minutes: as many workers as fit; below 90 % of it for 15 minutes: likewise, at most by half
    300 s between two steps down; what was added in the last 300 s counts as part of the next step up

How far a scale-in goes is not published: half is assumed. The mean runtime is the operator's to know: here the true one of the
whole trace. One worker stays, as no backlog can be divided by none.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-using-sqs-queue.html,
https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking.html (alarms),
https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html (cooldowns)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from autoscaler.sim.rivals.rival import Seen

ACCEPTABLE_SECONDS = 30.0
HIGH_MINUTES, LOW_MINUTES = 3, 15
LOW_SHARE = 0.9
COOLDOWN_SECONDS = 300.0


def acceptable_backlog(mean_runtime_seconds: float, slots: int) -> float:
    """How many tasks may wait for each worker.

    >>> acceptable_backlog(10.0, 2), acceptable_backlog(600.0, 1)
    (6.0, 1.0)
    """
    return max(1.0, ACCEPTABLE_SECONDS / mean_runtime_seconds * slots) if mean_runtime_seconds else math.inf


@dataclass(slots=True)
class TargetTracking:
    """One scaling policy with its two alarms."""

    target: float
    period_seconds: float = field(default=60.0, init=False)
    high: int = field(default=0, init=False)
    low: int = field(default=0, init=False)
    """Minutes in a row above the target, and below its lower mark."""
    last_up: float = field(default=-math.inf, init=False)
    last_down: float = field(default=-math.inf, init=False)
    added: int = field(default=0, init=False)
    """By the last step up."""

    def want(self, seen: Seen) -> int:
        """The count that the two alarms ask for."""
        metric = seen.waiting / max(1, seen.ready)
        self.high = self.high + 1 if metric > self.target else 0
        self.low = self.low + 1 if metric < LOW_SHARE * self.target else 0
        fitting = math.ceil(seen.ready * metric / self.target)
        if self.high >= HIGH_MINUTES:
            return self._up(seen, fitting)
        if self.low >= LOW_MINUTES and seen.at - self.last_down >= COOLDOWN_SECONDS:
            return self._down(seen, fitting)
        return max(1, seen.count)

    def _up(self, seen: Seen, fitting: int) -> int:
        more = fitting - seen.count
        step = more - self.added if seen.at - self.last_up < COOLDOWN_SECONDS else more
        if step <= 0:
            return seen.count
        self.last_up, self.added = seen.at, more
        return seen.count + step

    def _down(self, seen: Seen, fitting: int) -> int:
        count = min(seen.count, max(1, math.ceil(seen.count / 2), fitting))
        if count < seen.count:
            self.last_down = seen.at
        return count
