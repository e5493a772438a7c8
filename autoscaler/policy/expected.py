"""Which idle slots are worth their keep? Those that tasks will soon come for.

The window remembers the most that was needed, and how long ago; whether it will be needed again says the rate of arrivals. The
first idle slot is wanted by the next task, the second by the one after it: one that no task is expected for soon is given up,
however lately it was in use. Soon is two restarts (start + stop), so what is kept idle costs little more than starting it again.

Worked example: 6 replicas of one slot were needed, 3 are busy now, 0.3 tasks a second came over the last minute, a restart takes
4 s. Within 8 s 2.4 tasks are expected, so 2 idle replicas are kept and the sixth leaves.
"""

from __future__ import annotations

import math

from autoscaler.policy.flow import RATE_MEMORY_SECONDS

SOON_RESTARTS = 2.0
"""How many restarts long a slot may wait for the task that it is kept for. Chosen on nine traces (`docs/decisions`)."""
HALF_A_TASK = 0.5
"""Expected tasks are rounded to whole ones: less than half a task keeps no slot."""


def replicas_soon(busy: int, slots: int, expected: float) -> int:
    """Replicas of so many slots that the running tasks and the expected ones fill.

    >>> replicas_soon(busy=3, slots=1, expected=2.4)
    5
    >>> replicas_soon(busy=3, slots=2, expected=0.4)
    2
    """
    return math.ceil((busy + max(0.0, expected - HALF_A_TASK)) / slots - 1e-9)


def fewer_in_seconds(busy: int, slots: int, expected: float) -> float:
    """When these become fewer if nothing arrives any more: the rate is forgotten, half of it in 42 s; infinity for never.

    >>> round(fewer_in_seconds(busy=3, slots=1, expected=2.4), 1)  # until 1.5 are expected
    28.2
    >>> fewer_in_seconds(busy=3, slots=1, expected=0.2)
    inf
    """
    fewer = (replicas_soon(busy, slots, expected) - 1) * slots - busy
    return RATE_MEMORY_SECONDS * math.log(expected / (fewer + HALF_A_TASK)) if fewer >= 0 else math.inf
