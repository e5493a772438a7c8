"""The figures of a run in words, for the screen and for docs/reliability.md."""

from __future__ import annotations

from .course import Findings, Round
from .parts import FALLBACK, PRIMARY

TIMES = {1: "once", 2: "twice"}
COLUMNS = (
    "quota gone for",
    "fallback active",
    "its first worker",
    "its first task done",
    "asked meanwhile",
    "first stranded task done",
    "first new task done",
    "primary active",
)


def told(found: Findings) -> str:
    """One paragraph and one table."""
    ran = ", ".join(f"{count:,} {TIMES.get(times, f'{times} times')}" for times, count in sorted(found.executions.items()))
    accepted = sum(found.accepted.values())
    text = (
        f"{found.seconds:.0f} s, {accepted:,} tasks accepted, {found.accepted[PRIMARY]:,} by the primary and "
        f"{found.accepted[FALLBACK]:,} by the fallback; they ran {ran}; {len(found.lost)} lost. "
        f"{found.refused_by_all} publishes were refused by both."
    )
    head = f"| {' | '.join(COLUMNS)} |\n|{'--:|' * len(COLUMNS)}"
    return "\n".join([text, "", head, *map(_row, found.rounds)])


def _row(each: Round) -> str:
    stranded = "none" if each.stranded is None else _seconds(each.stranded)
    cells = [f"{each.outage:.0f} s", *map(_seconds, (each.active, each.worker, each.task)), f"{each.probes} commands"]
    return f"| {' | '.join([*cells, stranded, _seconds(each.new), _seconds(each.back)])} |"


def _seconds(value: float) -> str:
    return f"{value:.1f} s"
