"""How often Python looks for cycles of garbage: seldom in the daemon, and not at all in a simulation.

Values that flow one way make no cycles, so what a tick leaves behind is freed at once by its reference counts. The collector looks for
cycles all the same, after every 700 new objects unless told otherwise; deciding for a thousand pools makes 20,000 of them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 50_000
"""How many more objects than before there are when cycles are looked for: some ten megabytes at most, if all of them were garbage."""


def collect_seldom() -> None:
    """For a process that is made up of what it keeps: it is left out of all later searches."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)


@contextmanager
def without_collector() -> Iterator[None]:
    """Looking for cycles where there are none would cost a simulation a fifth of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
