"""Our policy beside the rivals, to be read in ten seconds: us and the bounds first, then the rivals, the cheapest first."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from autoscaler.sim.score import BOUNDS, OURS, Score

WIDTH = 80
BAR_WIDTH = 10
BAR_MOST = 2.5
"""The cost at which a bar ends; what costs more ends in an arrow."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_SAME_SECONDS = 0.05
"""Waits this close count as equal."""


def bar(cost: float) -> str:
    """The cost as a bar.

    >>> bar(1.0), bar(0.99), bar(5.0)
    ('████', '███▉', '█████████▶')
    """
    if cost > BAR_MOST:
        return "█" * (BAR_WIDTH - 1) + "▶"
    whole, rest = divmod(int(cost / BAR_MOST * BAR_WIDTH * 8), 8)
    return "█" * whole + _EIGHTHS[rest].strip()


def in_order(scores: Sequence[Score]) -> list[Score]:
    """Us, the bounds, and the rivals by their cost."""
    known = (OURS, *BOUNDS)
    return [s for s in scores if s.policy in known] + sorted((s for s in scores if s.policy not in known), key=lambda s: s.worker_seconds)


def standings(scores: Sequence[Score]) -> Any:
    """A row each: cost as a multiple of the plan that lets nobody wait, waits, and what became of the tasks."""
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    target = f"in {scores[0].slo_target_s:g} s"
    for name in ("policy", "cost", "", "p95 wait", "longest", target, "killed", "starts"):
        shown.add_column(name, justify="left" if name in ("policy", "") else "right", no_wrap=True)
    zero_wait = _named(scores, "clairvoyant_zero_wait").worker_seconds
    for score in in_order(scores):
        cost = score.worker_seconds / zero_wait if zero_wait else 0.0
        figures = (_seconds(score.wait_p95_s), _seconds(score.wait_max_s), _share(score.slo_met), _killed(score), _count(score.starts))
        shown.add_row(score.policy + _undone(score), f"{cost:.2f}", bar(cost), *figures, style=_style(score))
    return shown


def summary(scores: Sequence[Score]) -> list[str]:
    """What the table says, in words."""
    ours = scores[0]
    rivals = [score for score in scores[1:] if score.policy not in BOUNDS]
    cheaper = [s for s in rivals if s.worker_seconds < ours.worker_seconds and s.done == s.tasks]
    quicker = [s for s in rivals if _p95(s) <= _p95(ours) + _SAME_SECONDS and s.done == s.tasks]
    both = [s.policy for s in cheaper if s in quicker]
    counted = f"{len(rivals)} rivals: {len(cheaper)} cost less, {len(quicker)} are as quick at p95"
    lines = [
        *textwrap.wrap(f"{counted}, both: {', '.join(both) or 'none'}", WIDTH),
        "cost: over clairvoyant_zero_wait; +drain: with our drains; fixed: with hindsight",
    ]
    return lines + (["! tasks were not done two days after the last came"] if any(_undone(s) for s in scores) else [])


def _named(scores: Sequence[Score], policy: str) -> Score:
    return next(score for score in scores if score.policy == policy)


def _p95(score: Score) -> float:
    assert score.wait_p95_s is not None, "only a bound that is no plan has no waits"
    return score.wait_p95_s


def _style(score: Score) -> str:
    if score.policy == OURS:
        return "bold"
    return "dim" if score.policy in BOUNDS else ""


def _undone(score: Score) -> str:
    return " !" if score.done < score.tasks else ""


def _killed(score: Score) -> str:
    return "-" if score.starts is None else str(score.interrupted)


def _seconds(wait: float | None) -> str:
    """Waits of days and of fractions of a second in one column."""
    if wait is None:
        return "-"
    if wait < 1000:
        return f"{wait:.1f} s"
    return f"{wait / 60:.0f} min" if wait < 36000 else f"{wait / 3600:.1f} h"


def _share(met: float | None) -> str:
    return "-" if met is None else f"{met * 100:.4g}%"


def _count(count: int | None) -> str:
    return "-" if count is None else str(count)
