"""No autoscaling: as many workers all the time as the trace needs at its peak, or on average."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate

from autoscaler.sim.arrivals import Trace
from autoscaler.sim.rivals.rival import Seen


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same number."""

    count: int
    period_seconds: float = field(default=60.0, init=False)

    def want(self, _: Seen) -> int:
        """Always the same number."""
        return self.count


def at_peak(trace: Trace, slots: int) -> int:
    """As many as let nobody wait, at least one.

    >>> from autoscaler.sim.arrivals import trace_of
    >>> at_peak(trace_of([(0.0, 5.0), (1.0, 5.0), (5.0, 5.0), (6.0, 9.0)]), 1)
    2
    """
    steps: Counter[float] = Counter()
    for arrival, runtime in zip(trace.arrivals, trace.runtimes, strict=True):
        steps[arrival] += 1
        steps[arrival + runtime] -= 1
    return max(1, math.ceil(max(accumulate(change for _, change in sorted(steps.items()))) / slots))


def at_mean(trace: Trace, slots: int) -> int:
    """As many as get the work done in the time in which it arrives.

    >>> from autoscaler.sim.arrivals import trace_of
    >>> at_mean(trace_of([(0.0, 50.0), (30.0, 60.0), (100.0, 40.0)]), 1)
    2
    """
    span = trace.arrivals[-1]
    return max(1, math.ceil(trace.work_seconds / span / slots)) if span else 1
