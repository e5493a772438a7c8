"""The homemade autoscaler: one worker more above a length of the queue, one less below another, and a pause.

What most scripts on plain Docker do, for instance conor-is-my-name/n8n-autoscaling (`autoscaler/autoscaler.py`: every 10 s, more
than 5, less than 1, at least one worker).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from autoscaler.sim.rivals.rival import Seen


@dataclass(slots=True)
class Stepper:
    """One such script; it keeps one worker."""

    period_seconds: float = 10.0
    up_above: int = 10
    down_below: int = 2
    pause_seconds: float = 60.0
    """After each step, in either direction."""
    last_step: float = field(default=-math.inf, init=False)

    def want(self, seen: Seen) -> int:
        """At most one more or one less."""
        if not seen.count:
            return 1
        if seen.at - self.last_step < self.pause_seconds:
            return seen.count
        step = (seen.waiting > self.up_above) - (seen.waiting < self.down_below)
        count = max(1, seen.count + step)
        if count != seen.count:
            self.last_step = seen.at
        return count
