"""Many ticks as few points, for charts: the journal hands rows in, a page draws what comes out.

A chart of a day has room for a few hundred points and a day has tens of thousands of ticks. What a chart must not lose is the
peak, so every point tells the most of its step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

PEAKS = ("backlog", "busy", "desired", "wait")
PHASES = ("ready", "starting", "draining")


def step_seconds(since: float, now: float, first: float | None, points: int) -> float:
    """How long a step is, in whole seconds, so that no more than `points` cover the time of which anything is known.

    >>> step_seconds(since=0.0, now=3600.0, first=None, points=240), step_seconds(since=0.0, now=3600.0, first=3300.0, points=240)
    (15.0, 2.0)
    """
    return float(max(1, math.ceil((now - max(since, first if first is not None else since)) / points)))


def curve(rows: Iterable[dict[str, Any]], step: float) -> list[dict[str, Any]]:
    """One point for each step in which anything was seen, oldest first; its time is the beginning of the step.

    >>> told = {"busy": 0, "desired": 1, "ready": 1, "starting": 0, "draining": 0}
    >>> [(p["at"], p["backlog"]) for p in curve([{"at": 61, "backlog": 3, **told}, {"at": 62, "backlog": None, **told}], 10.0)]
    [(60.0, 3)]
    """
    steps: dict[float, list[dict[str, Any]]] = {}
    for row in rows:
        steps.setdefault(row["at"] // step * step, []).append(row)
    return [_point(at, told) for at, told in sorted(steps.items())]


def _point(at: float, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The peak of each number; the phases of that tick which had most replicas, as their own peaks never were together."""
    fullest = max(rows, key=lambda row: sum(row[phase] for phase in PHASES))
    return {"at": at, **{name: _most(rows, name) for name in PEAKS}, **{phase: fullest[phase] for phase in PHASES}}


def _most(rows: Sequence[dict[str, Any]], name: str) -> Any:
    known = [row[name] for row in rows if row.get(name) is not None]
    return max(known, default=None)
