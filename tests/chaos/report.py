"""The figures of a chaos run in words, for the screen and for docs/reliability.md."""

from __future__ import annotations

from .judge import Findings

TIMES = {1: "once", 2: "twice"}


def told(run: Findings) -> str:
    """One paragraph and one table."""
    ran = ", ".join(f"{count:,} {TIMES.get(times, f'{times} times')}" for times, count in sorted(run.executions.items()))
    rest = "not at rest" if run.converged_seconds is None else f"at rest {run.converged_seconds:.0f} s after the last deed"
    foreign = "was left alone" if run.foreign_lives else "was ended"
    adrift = f" {len(run.adrift)} went with what was killed while it took them off their queue." if run.adrift else ""
    text = (
        f"{run.seconds:.0f} s, {run.tasks:,} tasks, {run.done:,} had their effect ({ran}).{adrift} "
        f"{run.killed_workers} workers were killed by "
        f"the nemesis, {len(run.interrupted)} tasks were cut off elsewhere, {len(run.left_over)} workers left behind, the worker that is "
        f"not ours {foreign}. {run.daemon_starts} starts of the daemon; {rest}."
    )
    rows = [f"| {name} | {count} |" for name, count in sorted(run.deeds.items())]
    return "\n".join([text, "", "| deed | times |", "|---|--:|", *rows])
