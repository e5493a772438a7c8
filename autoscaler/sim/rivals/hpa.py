"""The Kubernetes Horizontal Pod Autoscaler over one external metric with an average value as its target, as KEDA sets it up.

    desired = ceil(metric / target), unless metric / (target * current) is within the tolerance
    then the highest of the window when going down, and at most max(100 %, 4 pods) more when going up

https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/ (algorithm details, configurable scaling
behavior); kubernetes/kubernetes `pkg/controller/podautoscaler/{replica_calculator,horizontal}.go`.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

SYNC_SECONDS = 15.0
"""`--horizontal-pod-autoscaler-sync-period`; nobody's own on a managed cluster."""
TOLERANCE = 0.1


def for_metric(metric: float, target: float, current: int) -> int:
    """Replicas for a metric of so much each, the current count while that is nearly so.

    >>> for_metric(31, 5, 3), for_metric(16, 5, 3), for_metric(0, 5, 3)
    (7, 3, 0)
    """
    if abs(metric / (target * current) - 1.0) <= TOLERANCE:
        return current
    return math.ceil(metric / target)


def most_after(current: int) -> int:
    """The most replicas that one sync may leave behind it: twice as many, or four more.

    The default policies count over 15 s, which is the sync period, so no earlier change falls into it.

    >>> most_after(1), most_after(10)
    (5, 20)
    """
    return max(2 * current, current + 4)


@dataclass(slots=True)
class Hpa:
    """One HPA with its memory of recommendations; it keeps at least one replica."""

    window_seconds: float = 300.0
    """`behavior.scaleDown.stabilizationWindowSeconds`."""
    recommendations: deque[tuple[float, int]] = field(default_factory=deque)

    def sync(self, now: float, metric: float, target: float, current: int) -> int:
        """The count that one sync sets.

        >>> hpa = Hpa(300.0)
        >>> [hpa.sync(0.0, 40, 5, 1), hpa.sync(15.0, 40, 5, 5), hpa.sync(30.0, 0, 5, 8), hpa.sync(316.0, 0, 5, 8)]
        [5, 8, 8, 1]
        """
        fresh = for_metric(metric, target, current)
        while self.recommendations and self.recommendations[0][0] <= now - self.window_seconds:
            self.recommendations.popleft()
        self.recommendations.append((now, fresh))
        highest = max(count for _, count in self.recommendations)
        count = min(max(current, fresh), highest)
        return max(1, min(count, most_after(current)))
