"""The table with the rivals: ordered, short, and honest about tasks that were not done."""

from dataclasses import replace
from io import StringIO

from rich.console import Console
from small import BOOT, a_pool

from autoscaler.model import Policies
from autoscaler.sim.arrivals import trace_of
from autoscaler.sim.score import Score
from autoscaler.sim.simulate import compare
from autoscaler.sim.standings import in_order, standings, summary


def rows() -> tuple[Score, ...]:
    """A small burst under five policies."""
    policies = Policies("t", 1.0, 30, {"p": a_pool()})
    trace = trace_of((float(i), 9.0) for i in range(60))
    return compare(lambda _: policies, trace, BOOT, rivals=["fixed_at_peak", "step_default", "knative"])


def shown(scores: tuple[Score, ...]) -> list[str]:
    """The table as it is printed."""
    console = Console(width=80, record=True, file=StringIO())
    console.print(standings(scores))
    return console.export_text().splitlines()


def test_rivals_stand_by_cost_after_the_bounds():
    """And none of eighty columns is left over."""
    scores = rows()
    names = [score.policy for score in in_order(scores)]
    assert names[:4] == ["autoscaler", "clairvoyant_zero_wait", "clairvoyant_slo", "work_only"]
    costs = [score.worker_seconds for score in in_order(scores)[4:]]
    assert costs == sorted(costs)
    lines = shown(scores)
    assert len(lines) == 8
    assert max(map(len, lines)) <= 80


def test_the_words_count_who_is_better():
    """Cheaper, as quick, and both; who left tasks undone is neither."""
    ours, *others = rows()
    cheap = replace(ours, policy="a", worker_seconds=1.0, wait_p95_s=9e9)
    quick = replace(ours, policy="b", worker_seconds=9e9)
    both = replace(ours, policy="c", worker_seconds=1.0)
    quitter = replace(both, policy="d", done=ours.done - 1)
    said = summary((ours, *others[:3], cheap, quick, both, quitter))
    assert said[0] == "4 rivals: 2 cost less, 2 are as quick at p95, both: c"
    assert said[-1].startswith("! tasks were not done")
    assert any("d !" in line for line in shown((ours, *others[:3], quitter)))
    assert "both: none" in summary((ours, *others[:3], cheap))[0]
