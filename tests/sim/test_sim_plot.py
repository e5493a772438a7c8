"""The drawing is one well-formed file that says in words what it shows, and keeps the areas that it draws."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import BOOT, a_pool

from autoscaler.model import Policies, TargetWait
from autoscaler.sim.arrivals import Trace, trace_of
from autoscaler.sim.bounds import zero_wait
from autoscaler.sim.columns import Columns, needed
from autoscaler.sim.plot import plot
from autoscaler.sim.simulate import simulate

SVG = "{http://www.w3.org/2000/svg}"
BURST = trace_of([*((float(i), 9.0) for i in range(60)), (4000.0, 20.0)])


def drawn(trace: Trace = BURST, *, pool: str = "mail", name: str = "day.csv", interval: float = 1.0, **changes) -> str:
    """The drawing of a small pool on this trace."""
    policies = Policies("t", interval, 30, {"p": a_pool(sizing=TargetWait(10.0), **changes)})
    return plot(simulate(lambda _: policies, trace, BOOT, 0), pool, name, BOOT.mean_seconds)


def texts(svg: str) -> list[str]:
    """Everything that is written in it."""
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_it_says_in_words_what_it_shows():
    """A title and a description for those who cannot see it; the same words stand above the charts."""
    root = ElementTree.fromstring(drawn())
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text == "mail on day.csv"
    said = root.find(f"{SVG}desc").text
    assert said.startswith("61 tasks in 67 min, none interrupted; 100 % started within 10 s, the longest wait was")
    assert all(line in said for line in texts(drawn())[1:3])


def test_three_charts_with_their_scales():
    """Backlog, workers against the clairvoyant plan, waits against the target; time in round numbers."""
    written = texts(drawn())
    assert {"Tasks waiting, at most", "Workers, on average", "Wait until the start"} <= set(written)
    assert any("clairvoyant plan" in text for text in written)
    assert any("target: 10 s" in text for text in written)
    assert [text for text in written if text.endswith(" min")] == [f"{minutes} min" for minutes in range(10, 70, 10)]


def test_it_needs_nothing_else_and_is_small():
    """No script, no font, no address but its namespace; a size that does not grow with the trace."""
    svg = drawn()
    assert re.findall(r"https?://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]
    assert "<script" not in svg
    assert len(svg) < 40_000
    assert "prefers-color-scheme: dark" in svg


def test_names_are_only_text():
    """Whatever a pool or a file is called."""
    svg = drawn(pool="<script>a</script>", name='"&".csv')
    assert ElementTree.fromstring(svg).find(f"{SVG}title").text == '<script>a</script> on "&".csv'


@pytest.mark.parametrize("trace", [trace_of([(0.0, 1.0)]), trace_of([(5.0, 0.0)])])
def test_next_to_nothing_can_be_drawn(trace):
    """One task, short or of no length."""
    assert len(texts(drawn(trace))) > 10


def test_what_was_not_done_is_said():
    """A pool that may have no workers."""
    svg = drawn(trace_of([(0.0, 1.0), (1.0, 5.0)]), interval=600.0, replicas_max=0)
    assert "2 not done" in svg


stretch = st.tuples(st.floats(0, 100), st.floats(0, 100), st.integers(0, 9)).map(lambda s: (min(s[:2]), max(s[:2]), s[2]))


@given(stretches=st.lists(stretch, max_size=8), count=st.integers(1, 40))
def test_means_keep_the_area(stretches, count):
    """So the area that is drawn is what it cost."""
    columns = Columns(100.0, count)
    area = sum(columns.means(stretches)) * columns.width
    assert area == pytest.approx(sum((until - since) * value for since, until, value in stretches))
    assert max(columns.highest(stretches)) == max((value for _, _, value in stretches), default=0)


def test_the_plan_is_drawn_with_its_starts_and_stops():
    """Its area is what it is said to cost."""
    plan = zero_wait(trace_of([(20.0, 10.0), (40.0, 5.0), (41.0, 5.0)]), 1, 4.0)
    assert sum(Columns(100.0, 50).means(needed(plan, 1.0))) * 2.0 == pytest.approx(plan.worker_seconds)


def test_waits_of_a_column():
    """The median and the longest of those that arrived in it; no bar where none did."""
    trace = trace_of([(0.0, 1.0), (1.0, 1.0), (9.0, 1.0), (25.0, 1.0)])
    assert Columns(30.0, 3).waits(trace, [1.0, 2.0, 6.0, 0.0]) == [(2.0, 6.0), None, (0.0, 0.0)]
