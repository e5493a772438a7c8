"""The four named ways to size a pool, from thrift to haste; the only place where their numbers stand.

They come from the search on seventeen real traces behind `target_wait`: a wait that may be up to half a minute, ten seconds (the
default), five, or none. `docs/replay-and-tune.md` shows what they cost; a test holds the page to this list.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """A name for a few settings of a pool."""

    name: str
    target_wait_seconds: float
    restarts: float | None
    """`scale_down.stabilization`, as a multiple of what a start and a stop take; None: `auto`, which follows the target."""
    spare: int
    meaning: str


PRESETS = (
    Preset("lean", 30.0, None, 0, "workers are dear, half a minute is soon enough"),
    Preset("default", 10.0, None, 0, "as dear as a plan without waiting that knows the future, and nobody waits for long"),
    Preset("fast", 5.0, None, 0, "somebody is looking at the screen"),
    Preset("instant", 0.0, 10.0, 1, "a slot for every task at once, and an idle worker for the next one"),
)
