"""Series kept as text: the same page that prometheus_client would write, and only what is new is written anew."""

from __future__ import annotations

import prometheus_client as theirs
import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from autoscaler.report.series import Counter, Histogram, page

STRANGE = 'a "quoted" \\ name\nin two lines'
BOUNDS = (0.1, 1, 2.5)


def both() -> tuple[theirs.CollectorRegistry, list[Counter | Histogram]]:
    """The same counted with their library and with ours."""
    theirs.disable_created_metrics()
    registry = theirs.CollectorRegistry()
    ours: list[Counter | Histogram] = [
        Counter("x_tasks", "Tasks, one \\ each.", ("pool", "reason")),
        Histogram("x_seconds", "How long.", BOUNDS, ("pool",)),
        Histogram("x_tick_seconds", "One tick.", BOUNDS),
    ]
    other = [
        theirs.Counter("x_tasks", "Tasks, one \\ each.", ("pool", "reason"), registry=registry),
        theirs.Histogram("x_seconds", "How long.", ("pool",), registry=registry, buckets=BOUNDS),
        theirs.Histogram("x_tick_seconds", "One tick.", registry=registry, buckets=BOUNDS),
    ]
    for count, spread, tick in (ours, other):
        count.labels("mail", "up").inc()
        count.labels("mail", "up").inc(2.5)
        count.labels(STRANGE, "down")
        for seconds in (0.1, 0.05, 1.7, 99.0):
            spread.labels(STRANGE).observe(seconds)
        (tick.labels() if isinstance(tick, Histogram) else tick).observe(0.3)
    return registry, ours


@pytest.mark.parametrize("openmetrics", [False, True], ids=["plain", "openmetrics"])
def test_the_page_is_what_their_library_writes(openmetrics: bool) -> None:
    """Line by line, in both formats, with everything that must be escaped."""
    registry, ours = both()
    generate = generate_openmetrics if openmetrics else generate_latest
    expected = generate(registry).decode().removesuffix("# EOF\n")

    assert page(ours, openmetrics=openmetrics).splitlines() == expected.splitlines()


def test_what_is_counted_after_a_look_is_seen_at_the_next() -> None:
    """A line that was kept is written anew once its number changed."""
    count, spread = Counter("c", "C.", ("pool",)), Histogram("h", "H.", BOUNDS)
    count.labels("mail").inc()
    first = page([count, spread], openmetrics=False)
    count.labels("mail").inc()
    spread.labels().observe(0.5)
    second = page([count, spread], openmetrics=False)

    assert 'c_total{pool="mail"} 1.0\n' in first
    assert 'c_total{pool="mail"} 2.0\n' in second
    assert "h_count 0.0\n" in first
    assert "h_count 1.0\n" in second


def test_a_line_that_did_not_change_is_the_same_text() -> None:
    """It is kept, not written again: a scrape costs what is new."""
    count = Counter("c", "C.", ("pool",))
    count.labels("mail").inc()
    (before,) = count.lines()

    assert next(iter(count.lines())) is before


def test_a_series_that_ended_is_gone() -> None:
    """And begins at 0 when it comes back."""
    count = Counter("c", "C.", ("pool",))
    count.labels("mail").inc()
    count.remove("mail")
    count.remove("nobody")
    assert list(count.lines()) == []

    count.labels("mail")
    assert list(count.lines()) == ['c_total{pool="mail"} 0.0\n']


def test_lines_of_a_group_follow_whatever_happens_in_it() -> None:
    """Counted, begun and ended: the text that is kept of a group is never an old one."""
    count = Counter("c", "C.", ("pool", "reason"))
    seen = []
    for happens in (
        lambda: count.labels("mail", "up"),
        lambda: count.labels("mail", "down").inc(),
        lambda: count.labels("mail", "up").inc(2),
        lambda: count.remove("mail", "down"),
    ):
        happens()
        seen.append("".join(count.lines()))

    up, down = 'c_total{pool="mail",reason="up"} ', 'c_total{pool="mail",reason="down"} '
    assert seen == [f"{up}0.0\n", f"{up}0.0\n{down}1.0\n", f"{up}2.0\n{down}1.0\n", f"{up}2.0\n"]
