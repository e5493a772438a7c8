"""Numbers as marks in a terminal: bars, sparklines, and counts that nobody could see. Shape says it all, colour only repeats it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from autoscaler.report.sentence import seconds

TICKS = "▁▂▃▄▅▆▇█"
WIDEST_BAR = 24


def shown(count: float | None) -> str:
    """A count, or ? where nobody could see it.

    >>> shown(None), shown(0)
    ('?', '0')
    """
    return "?" if count is None else f"{count:g}"


def phases(replicas: dict[str, int] | None) -> str:
    """Replicas as a bar: full for ready, half for starting, light for draining, a cross for lost.

    >>> phases({"ready": 3, "starting": 1, "draining": 2, "lost": 1})
    '███▒░░×'
    """
    if replicas is None:
        return "?"
    counts = [replicas.get(phase, 0) for phase in ("ready", "starting", "draining", "lost")]
    share = max(1.0, sum(counts) / WIDEST_BAR)
    return "".join(mark * (max(1, round(count / share)) if count else 0) for mark, count in zip("█▒░×", counts, strict=True))


def change(before: int, after: int, most: int) -> str:
    """One step of a waterfall: what stays, what it added, what it took away.

    >>> change(3, 5, 6), change(5, 2, 6)
    ('███▓▓ ', '██░░░ ')
    """
    scale = min(1.0, WIDEST_BAR / most) if most else 1.0
    low, high = round(min(before, after) * scale), round(max(before, after) * scale)
    mark = "▓" if after > before else "░"
    return ("█" * low + mark * (high - low)).ljust(round(most * scale))


def sparkline(values: Sequence[float | None]) -> str:
    """Values over time in one line; a gap where nothing was seen.

    >>> sparkline([0, 1, None, 4])
    '▁▃ █'
    """
    most = max((value for value in values if value is not None), default=0) or 1
    return "".join(" " if value is None else TICKS[round(value / most * (len(TICKS) - 1))] for value in values)


def order(told: dict[str, Any], now: float | None = None) -> str:
    """A standing order as people say it: what, by whom, for how much longer, why.

    >>> order({"kind": "pause", "direction": "up", "by": "anna", "until": 100.0, "why": "the move"}, now=40.0)
    'paused (up) by anna, 1m left: the move'
    """
    what = {
        "pause": "paused" if told.get("direction") == "both" else f"paused ({told.get('direction')})",
        "scale": f"set to {told.get('replicas')}",
        "drain": f"{told['worker']} told to leave" if told.get("worker") else "sent home",
        "wake": "woken",
    }.get(told["kind"], told["kind"])
    until = told.get("until")
    left = "" if until is None else f", {seconds(until - (time.time() if now is None else now))} left"
    return f"{what} by {told['by']}{left}" + (f": {told['why']}" if told.get("why") else "")
