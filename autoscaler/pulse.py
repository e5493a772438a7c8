"""The loop goes on whatever happens in one tick: what a tick means that failed, and whether the loop is still alive.

The neighbours' faults are gaps in what is seen, never exceptions. So an exception in a tick is a bug of ours: acting stops for this
tick, the memory stays as it was, the workers stay too, and the next tick tries again. A process that only fails ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

from autoscaler.loop import Reporter
from autoscaler.model import Memory, Record

BUGS_IN_A_ROW_MAX = 10
"""After so many ticks that failed by a bug of ours the process ends, so that its supervisor starts it afresh."""

Done = TypeVar("Done")


class Pulse:
    """Ticks, one after the other; failed ones are counted and said."""

    def __init__(self) -> None:
        self.bugs: tuple[str, ...] = ()
        """What went wrong in the last tick, in words; empty where nothing did."""
        self._in_a_row = 0
        self._log = structlog.get_logger("autoscaler")
        self.mark()

    def mark(self) -> None:
        """The loop was alive just now: how long ago the last tick ended is counted from here."""
        self._last = time.monotonic()

    def beat(self, work: Callable[[], Done]) -> Done | None:
        """One tick; None if it failed by a bug."""
        try:
            done = work()
        except Exception as bug:
            self._in_a_row += 1
            self.bugs = (f"the last tick failed by a bug of ours, nothing is changed until one succeeds: {type(bug).__name__}: {bug}",)
            self._log.exception("this tick failed by a bug; nothing was changed", in_a_row=self._in_a_row)
            return None
        finally:
            self.mark()
        self.bugs, self._in_a_row = (), 0
        return done

    def tell(self, reporters: Iterable[Reporter], record: Record, memory: Memory) -> None:
        """Tell all of them; telling never stops the loop."""
        for report in reporters:
            try:
                report(record, memory)
            except Exception:
                self._log.exception("a report failed", report=getattr(report, "__qualname__", type(report).__name__))

    def gives_up(self) -> bool:
        """Whether so many ticks failed in a row that only a fresh process may help; if so, it is said."""
        if self._in_a_row < BUGS_IN_A_ROW_MAX:
            return False
        self._log.critical("giving up after too many failed ticks: workers are left as they are", bugs=self.bugs)
        return True

    def alive(self, limit_seconds: float) -> tuple[bool, str]:
        """Whether the loop still ticks, and in words when it last did."""
        late = time.monotonic() - self._last
        words = f"the last tick ended {late:.1f} s ago"
        return late <= limit_seconds, words if late <= limit_seconds else f"{words}, more than {limit_seconds:.0f} s"
