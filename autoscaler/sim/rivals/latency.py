"""Latency steppers: one replica more while the oldest task has waited too long, one less after it was short for a while.

Latency is the age of the head of the queue, 0 when it is empty: https://help.hirefire.io/article/62-hirefire-job-queue-latency-any-language,
https://judoscale.com/blog/latency-based-celery-queues-in-python. Both can go to none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from autoscaler.sim.rivals.rival import Seen


@dataclass(slots=True)
class LatencyStepper:
    """One dyno manager."""

    period_seconds: float
    up_above_seconds: float
    down_below_seconds: float
    down_after_seconds: float
    """How long the latency must have been short, also since the last step down."""
    up_every_seconds: float
    last_up: float = field(default=-math.inf, init=False)
    short_since: float | None = field(default=None, init=False)

    def want(self, seen: Seen) -> int:
        """At most one more or one less."""
        if seen.oldest_wait_seconds >= self.down_below_seconds:
            self.short_since = None
        elif self.short_since is None:
            self.short_since = seen.at
        if seen.oldest_wait_seconds > self.up_above_seconds and seen.at - self.last_up >= self.up_every_seconds:
            self.last_up = seen.at
            return seen.count + 1
        if self.short_since is not None and seen.at - self.short_since >= self.down_after_seconds:
            self.short_since = seen.at
            return max(0, seen.count - 1)
        return seen.count


def hirefire() -> LatencyStepper:
    """Checks every 60 s, the standard plan; its thresholds are everybody's own: 30 s up, 5 s down are assumed."""
    return LatencyStepper(60.0, up_above_seconds=30.0, down_below_seconds=5.0, down_after_seconds=60.0, up_every_seconds=60.0)


def judoscale() -> LatencyStepper:
    """Metrics of 10 s, one step at a time, ten minutes before each step down; ups at most once a minute are assumed.

    https://judoscale.com/docs/tuning-your-application; an older guide names three minutes between ups.
    """
    return LatencyStepper(10.0, up_above_seconds=10.0, down_below_seconds=2.0, down_after_seconds=600.0, up_every_seconds=60.0)
