"""Knative's pod autoscaler (KPA): the mean concurrency of the last minute, or of the last six seconds when that doubles.

Concurrency is what runs and what the activator holds back, here what waits. The target is 70 % of what a pod may run at once.
Every two seconds:

    stable = ceil(mean of 60 s / target)      panic = ceil(mean of 6 s / target)
    panic >= 2 * ready pods: panic mode, until 60 s after it was last so; in it the count only grows
    at most halved in one go; the last pods go 30 s after the desired count fell to none

From none the activator asks at once, it does not wait for the two seconds. The 30 s are `scale-to-zero-grace-period`, an upper
bound: where the activator is in the path already, Knative is quicker.

https://knative.dev/docs/serving/autoscaling/kpa-specific/; knative/serving `config/core/configmaps/autoscaler.yaml`,
`pkg/autoscaler/scaling/autoscaler.go`, `pkg/reconciler/autoscaling/kpa/scaler.go`.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import islice

from autoscaler.sim.rivals.rival import Seen

TARGET_UTILIZATION = 0.7
STABLE_SECONDS, PANIC_SECONDS = 60, 6
PANIC_THRESHOLD = 2.0
MOST_UP, MOST_DOWN = 1000.0, 2.0
ZERO_GRACE_SECONDS = 30.0


@dataclass(slots=True)
class Knative:
    """One revision's autoscaler. It looks every second, as the metrics do, and decides every other."""

    period_seconds: float = field(default=1.0, init=False)
    concurrency: deque[int] = field(default_factory=lambda: deque([0] * STABLE_SECONDS, STABLE_SECONDS), init=False)
    """One value a second, the newest first."""
    total: int = field(default=0, init=False)
    looks: int = field(default=0, init=False)
    panic_since: float | None = field(default=None, init=False)
    """When it was last over the threshold; None out of panic mode."""
    panic_pods: int = field(default=0, init=False)
    unwanted_since: float | None = field(default=None, init=False)

    def want(self, seen: Seen) -> int:
        """Note the second, and decide where it is time."""
        now_running = seen.waiting + seen.running_here
        self.total += now_running - self.concurrency[-1]
        self.concurrency.appendleft(now_running)
        self.looks += 1
        poked = not seen.count and seen.waiting
        return self._decide(seen) if poked or self.looks % 2 == 0 else seen.count

    def _decide(self, seen: Seen) -> int:
        ready = max(1, seen.ready)
        target = TARGET_UTILIZATION * seen.slots
        burst = math.ceil(sum(islice(self.concurrency, PANIC_SECONDS)) / PANIC_SECONDS / target)
        stable = self._limited(math.ceil(self.total / STABLE_SECONDS / target), ready)
        self._panic_or_not(seen.at, over=burst / ready >= PANIC_THRESHOLD)
        if self.panic_since is None:
            return self._last_pods(seen, stable)
        self.panic_pods = max(self.panic_pods, stable, self._limited(burst, ready))
        return self._last_pods(seen, self.panic_pods)

    def _limited(self, count: int, ready: int) -> int:
        return min(max(count, math.floor(ready / MOST_DOWN)), math.ceil(ready * MOST_UP))

    def _panic_or_not(self, now: float, *, over: bool) -> None:
        if over:
            self.panic_since = now
        elif self.panic_since is not None and now - self.panic_since > STABLE_SECONDS:
            self.panic_since, self.panic_pods = None, 0

    def _last_pods(self, seen: Seen, count: int) -> int:
        """The count, but for the way to none, which takes the grace period."""
        if count or not seen.count:
            self.unwanted_since = None
            return count
        if self.unwanted_since is None:
            self.unwanted_since = seen.at
        return 0 if seen.at - self.unwanted_since >= ZERO_GRACE_SECONDS else seen.count
