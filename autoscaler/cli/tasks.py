"""Which tasks `simulate` and `tune` are about: those of a trace, or those that a journal tells of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from autoscaler.sim.arrivals import Trace, load_trace
from autoscaler.sim.simulate import MONDAY

USUAL_BOOT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Tasks:
    """A trace, and what goes with it."""

    source: str
    trace: Trace
    boot_seconds: float
    """How long a worker takes to start: as asked for, else as it did in the journal, else as usual."""
    begins_at: float
    """When the trace begins; one without a date does so on a Monday."""


def tasks_of(pool: str, trace: Path | None, journal: Path | None, boot_seconds: float | None) -> Tasks:
    """The tasks in one of the two. Raises click.UsageError, TraceUnusable, JournalUnreadable."""
    if bool(trace) == bool(journal):
        raise click.UsageError("say where the tasks come from: --trace FILE.csv or --journal FILE.sqlite3, one of the two")
    if trace:
        return Tasks(str(trace), load_trace(trace), USUAL_BOOT_SECONDS if boot_seconds is None else boot_seconds, MONDAY)
    from autoscaler.sim.reconstruct import trace_of_journal  # what reads a journal takes longer to load than a short trace to simulate

    assert journal is not None
    rebuilt = trace_of_journal(journal, pool)
    return Tasks(str(journal), rebuilt.trace, rebuilt.boot_seconds if boot_seconds is None else boot_seconds, rebuilt.begins_at)
