"""The result for a person: a table of the rows, and the run as two rows of blocks, what waited and what ran."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoscaler.sim.run import Course, Run
from autoscaler.sim.score import Score

WIDTH = 56
_BLOCKS = " ▁▂▃▄▅▆▇█"


def buckets(at: Sequence[float], values: Sequence[int], width: int = WIDTH) -> list[int]:
    """The highest value in each of `width` equal parts of the time; between two ticks the earlier value holds.

    >>> buckets([0.0, 1.0, 9.0], [0, 7, 0], width=5)
    [7, 7, 7, 7, 7]
    >>> buckets([0.0, 8.0, 9.0, 10.0], [1, 5, 2, 0], width=5)
    [1, 1, 1, 1, 5]
    """
    highest = [0] * width
    part = (at[-1] - at[0]) / width or 1.0
    ends = [*at[1:], at[-1]]
    for since, until, value in zip(at, ends, values, strict=True):
        first, last = (min(width - 1, int((moment - at[0]) / part)) for moment in (since, until))
        for index in range(first, last + 1):
            highest[index] = max(highest[index], value)
    return highest


def blocks(values: Sequence[int]) -> str:
    """A row of blocks, the highest as high as a line; anything above zero shows.

    >>> blocks([0, 1, 50, 100])
    ' ▁▄█'
    """
    most = max(values) or 1
    return "".join(_BLOCKS[0 if not value else max(1, value * 8 // most)] for value in values)


def picture(course: Course) -> list[str]:
    """What waited and how many replicas there were, over time."""
    rows = []
    for name, values in (("waiting", course.waiting), ("replicas", course.replicas)):
        rows.append(f"{name:<9}|{blocks(buckets(course.at, values))}| highest {max(values)}")
    end = span(course.at[-1])
    rows.append(f"{'':<10}0{end:>{WIDTH - 1}}")
    return rows


def span(seconds: float) -> str:
    """A length of time in the unit that fits.

    >>> span(90.0), span(5400.0), span(86400.0 * 3)
    ('90 s', '90 min', '72.0 h')
    """
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def table(scores: Sequence[Score]) -> Any:
    """The rows side by side; costs also as a multiple of the plan that lets nobody wait."""
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("policy", "hours", "x 0-wait", "busy", "p95 wait", "longest", "in time", "starts", "most"):
        shown.add_column(name, justify="left" if name == "policy" else "right", no_wrap=name == "policy")
    zero_wait = next(score.worker_seconds for score in scores if score.policy == "clairvoyant_zero_wait")
    for score in scores:
        times = f"{score.worker_seconds / zero_wait:.2f}" if zero_wait else "-"
        hours, busy = f"{score.worker_seconds / 3600:.2f}", f"{score.busy_ratio:.0%}"
        waits = [_seconds(wait) for wait in (score.wait_p95_s, score.wait_max_s)]
        in_time = "-" if score.slo_met is None else f"{score.slo_met * 100:.4g}%"
        shown.add_row(score.policy, hours, times, busy, *waits, in_time, _count(score.starts), _count(score.peak))
    return shown


def verdict(score: Score, run: Run) -> list[str]:
    """The run in words: what became of the tasks, what they and the broker felt of it, and which setting kept workers back."""
    undone = score.tasks - score.done
    left = f", {undone} NOT DONE" if undone else ""
    cut = f"{score.interrupted} interrupted" if score.interrupted else "none interrupted"
    return [
        f"{score.done} of {score.tasks} tasks done, {cut}{left}",
        f"longest wait {_seconds(score.wait_max_s)} (target {score.slo_target_s:g} s), about {score.broker_commands:,} broker commands",
        *(f"kept from more workers for {span(seconds)}: {maximum}" for maximum, seconds in run.held_down.items()),
    ]


def _seconds(wait: float | None) -> str:
    return "-" if wait is None else f"{wait:.1f} s"


def _count(count: int | None) -> str:
    return "-" if count is None else str(count)
