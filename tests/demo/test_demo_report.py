"""The demo's numbers: what counts as done, lost and interrupted, and the line that programs read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.demo.burst import Burst
from autoscaler.demo.report import Report, interrupted_tasks, measure, peak, percentile

GOOD = Report(sent=240, done=240, lost=0, interrupted=0, peak=8, final=0, first_start_seconds=1.304, wait_p95_seconds=9.876)
NO_METRICS = ""


def a_burst(
    pool: str, waits: dict[str, float], *, begun: tuple[str, ...] = (), open_tasks: int = 0, first_start: float | None = None
) -> Burst:
    """A burst sent at time 100, as it is after the last look."""
    burst = Burst(None, pool, 0, 1.0)
    burst.waits, burst.begun, burst.sent_at, burst.first_start = waits, set(begun), 100.0, first_start
    burst.sent = [*waits, *begun, *(f"open-{n}" for n in range(open_tasks))]
    return burst


def test_line_for_programs() -> None:
    """The last line has the agreed form, to the letter."""
    assert GOOD.line() == "demo: sent=240 done=240 lost=0 interrupted=0 peak=8 final=0 first_start_s=1.30 wait_p95_s=9.88"


@pytest.mark.parametrize(
    ("change", "good"),
    [
        pytest.param({}, True, id="all well"),
        pytest.param({"done": 239, "lost": 1}, False, id="one lost"),
        pytest.param({"interrupted": 1}, False, id="one interrupted and done again"),
        pytest.param({"final": 1}, False, id="a worker stayed"),
    ],
)
def test_good_means_nothing_was_lost(change: dict[str, Any], good: bool) -> None:
    """The demo succeeds only when no task and no worker is left over."""
    assert replace(GOOD, **change).is_good is good


def test_lost_and_interrupted_are_told_apart() -> None:
    """A task that was never begun is lost; one that was begun and not ended is lost and interrupted."""
    bursts = (a_burst("a", {"1": 0.5, "2": 3.0}, begun=("3",), first_start=102.0), a_burst("b", {"4": 1.0}, open_tasks=2))

    report = measure(bursts, {}, NO_METRICS, final=0)

    assert (report.sent, report.done, report.lost, report.interrupted) == (6, 3, 3, 1)
    assert (report.first_start_seconds, report.wait_p95_seconds) == (2.0, 3.0)


def test_the_daemon_may_know_of_more_interruptions() -> None:
    """A task that was cut off and run again shows only in the daemon's own count."""
    page = 'autoscaler_tasks_interrupted_total{pool="a"} 2.0\nautoscaler_tasks_interrupted_total{pool="b"} 1.0\n'

    assert interrupted_tasks(f"# TYPE autoscaler_tasks_interrupted counter\n{page}") == 3
    assert measure((a_burst("a", {"1": 0.5}),), {}, f"# TYPE autoscaler_tasks_interrupted counter\n{page}", final=0).interrupted == 3


def test_nothing_done_is_not_a_number() -> None:
    """Where no task came to an end, there is no wait to tell, and nobody may take it for a fast one."""
    report = measure((a_burst("a", {}, open_tasks=1),), {}, NO_METRICS, final=0)

    assert "first_start_s=nan wait_p95_s=nan" in report.line()


def test_peak_adds_the_pools_of_one_tick() -> None:
    """The peak is one moment's sum over pools, booting and leaving workers included, not the sum of two moments."""
    ticks = {
        "a": [{"at": 1.0, "ready": 4, "starting": 0, "draining": 0}, {"at": 2.0, "ready": 1, "starting": 0, "draining": 2}],
        "b": [{"at": 1.0, "ready": 0, "starting": 0, "draining": 0}, {"at": 2.0, "ready": 0, "starting": 3, "draining": 0}],
    }

    assert peak(ticks) == 6
    assert peak({}) == 0


@pytest.mark.parametrize(("percent", "value"), [(95, 95.0), (100, 100.0), (1, 1.0)])
def test_percentile_is_a_value_that_was_measured(percent: int, value: float) -> None:
    """The nearest rank, without a number in between that nobody measured."""
    assert percentile([float(n) for n in range(100, 0, -1)], percent) == value
