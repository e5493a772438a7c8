"""KEDA with a Redis list as its trigger: KEDA itself between none and one, the HPA that it makes between one and many.

- Every `pollingInterval` KEDA asks whether there is anything (`activation` 0). Something, and no replica: one. Nothing for longer
  than `cooldownPeriod`: none, from whatever count, whoever still works.
  https://keda.sh/docs/2.18/reference/scaledobject-spec/, https://keda.sh/docs/2.18/concepts/scaling-deployments/
- The HPA asks for the metric anew at each of its syncs (`useCachedMetrics` is off).
- The list holds what waits, `listLength` 5 for each replica; what runs is not in it.
  https://keda.sh/docs/2.18/scalers/redis-lists/
"""

from __future__ import annotations

from dataclasses import dataclass, field

from autoscaler.sim.rivals.hpa import SYNC_SECONDS, Hpa
from autoscaler.sim.rivals.rival import Seen

_STEP_SECONDS = 2.5


@dataclass(slots=True)
class Keda:
    """One ScaledObject."""

    per_replica: float = 5.0
    """Tasks of the metric for each replica: `listLength`."""
    counts_running: bool = False
    """The metric is what waits and what runs, as from a Prometheus exporter, and not the list alone."""
    polling_seconds: float = 30.0
    down_seconds: float = 300.0
    """`cooldownPeriod` of KEDA and the HPA's window for scaling down: both 300 s by default, and tuned together."""
    hpa: Hpa = field(init=False)
    period_seconds: float = field(default=_STEP_SECONDS, init=False)
    """The two clocks know nothing of each other: they are kept half a sync apart, which is their mean distance."""
    looks: int = field(default=0, init=False)
    last_active: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.hpa = Hpa(self.down_seconds)

    def want(self, seen: Seen) -> int:
        """The HPA first where both are due: it does not see at once what KEDA did."""
        metric = seen.waiting + (seen.running if self.counts_running else 0)
        count = seen.count
        if count and self._due(SYNC_SECONDS, SYNC_SECONDS / 2):
            count = self.hpa.sync(seen.at, metric, self.per_replica, count)
        if self._due(self.polling_seconds):
            count = self._poll(seen.at, metric, count)
        self.looks += 1
        return count

    def _due(self, every_seconds: float, after_seconds: float = 0.0) -> bool:
        return (self.looks * _STEP_SECONDS - after_seconds) % every_seconds == 0

    def _poll(self, now: float, metric: int, count: int) -> int:
        if metric:
            self.last_active = now
            return max(count, 1)
        return 0 if now - self.last_active > self.down_seconds else count
