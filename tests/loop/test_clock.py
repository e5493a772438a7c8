"""The real clock: who asks for a tick gets one soon, and nobody gets too many."""

from __future__ import annotations

import threading
import time

from autoscaler.clock import LEAST_SECONDS, SystemClock


def waited(clock: SystemClock, seconds: float) -> float:
    """How long a wait took that was to last so long."""
    began = time.monotonic()
    assert clock.wait(time.monotonic() + seconds)
    return time.monotonic() - began


def test_a_nudge_ends_the_wait() -> None:
    """From another thread, while the loop waits for a minute."""
    clock = SystemClock()
    threading.Timer(0.05, clock.nudge).start()

    assert waited(clock, 60) < 10


def test_a_nudge_during_a_tick_is_not_lost() -> None:
    """It came before the wait began: the wait is over at once, and only once."""
    clock = SystemClock()
    clock.nudge()

    assert waited(clock, 60) < 10
    assert waited(clock, 0.3) > 0.25


def test_a_nudge_may_leave_time() -> None:
    """The next tick comes within what was asked for, not at once; a more urgent one is not held up by it."""
    clock = SystemClock()
    clock.nudge(0.3)
    assert 0.25 < waited(clock, 60) < 10

    clock.nudge(60)
    clock.nudge()
    assert waited(clock, 60) < 10


def test_a_flood_of_nudges_is_not_a_flood_of_ticks() -> None:
    """However many come, there is a pause between two ticks."""
    clock, ticks, over = SystemClock(), 0, threading.Event()
    flood = threading.Thread(target=lambda: [clock.nudge() for _ in iter(over.is_set, True)])
    flood.start()
    began = time.monotonic()
    while time.monotonic() - began < 0.5:
        clock.wait(time.monotonic() + 60)
        ticks += 1
    over.set()
    flood.join()

    assert ticks <= 0.5 / LEAST_SECONDS + 2


def test_stop_ends_every_wait() -> None:
    """For good, and whatever else was asked for."""
    clock = SystemClock()
    clock.nudge(60)
    clock.stop()

    assert not clock.wait(time.monotonic() + 60)
    assert not clock.wait(time.monotonic() + 60)
