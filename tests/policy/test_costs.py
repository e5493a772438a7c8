"""Learning what a worker costs from the server's own counter alone: the truth comes out, and doubt stays where nothing was seen."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.model.spending import USUAL, Exposure
from autoscaler.policy.costs import NAMES, learn, solve

TEN_MINUTES = 600.0
LEAN = Exposure(flower=0.06, idle=0.033, busy=0.05, tasks=12.0, starts=24.0)
"""A frugal set-up: Flower without events, workers that poll every 30 s."""


def commands(units: Exposure, costs: Exposure) -> float:
    """What a server would have counted."""
    return sum(getattr(units, name) * getattr(costs, name) for name in NAMES)


def a_day(costs: Exposure, seed: int = 1, noise: float = 0.02) -> tuple[float, ...]:
    """The evidence of a day of readings every ten minutes, of a fleet that comes and goes."""
    chance, evidence = random.Random(seed), ()
    for _ in range(144):
        workers = chance.choice([0, 0, 0, 1, 2, 4])
        idle = chance.random()
        units = Exposure(
            flower=TEN_MINUTES,
            idle=TEN_MINUTES * workers * idle,
            busy=TEN_MINUTES * workers * (1 - idle),
            tasks=float(chance.randrange(0, 200) * workers),
            starts=float(chance.randrange(0, 3) * bool(workers)),
        )
        evidence = learn(evidence, units, TEN_MINUTES, commands(units, costs) * chance.gauss(1.0, noise))
    return evidence


@pytest.mark.parametrize("truth", [pytest.param(USUAL, id="default flags"), pytest.param(LEAN, id="frugal flags")])
def test_learns_the_truth_within_a_day(truth: Exposure) -> None:
    """After a day of changing fleets every cost is known to a quarter, and says that it is learned."""
    costs, learned = solve(a_day(truth))

    assert {"flower", "idle", "tasks"} <= set(learned)
    for name in ("flower", "idle", "tasks"):
        assert getattr(costs, name) == pytest.approx(getattr(truth, name), rel=0.25)


def test_without_evidence_the_usual_values() -> None:
    """Nothing read: what was measured elsewhere, and no claim that it was learned here."""
    assert (USUAL, ()) == solve(())


def test_what_was_never_there_keeps_its_usual_value() -> None:
    """A night without workers teaches what Flower costs and nothing about workers."""
    evidence: tuple[float, ...] = ()
    for _ in range(20):
        evidence = learn(evidence, Exposure(flower=TEN_MINUTES), TEN_MINUTES, 36.0)

    costs, learned = solve(evidence)

    assert ("flower",) == learned
    assert costs.flower == pytest.approx(0.06, rel=0.05)
    assert USUAL.idle == costs.idle


def test_changed_flags_are_learned_anew() -> None:
    """Old readings fade: a day after the worker's flags were changed its new cost is known."""
    evidence = a_day(USUAL)
    for _ in range(144):
        evidence = learn(evidence, Exposure(flower=TEN_MINUTES, idle=TEN_MINUTES), TEN_MINUTES, TEN_MINUTES * (0.26 + 0.033))

    assert solve(evidence)[0].idle < 0.15


@pytest.mark.parametrize("others", [0.5, 2.0, 10.0])
@pytest.mark.parametrize("workers", [pytest.param((1,), id="always one"), pytest.param((0, 3), id="coming and going")])
def test_what_others_send_is_put_on_nobody(others: float, workers: tuple[int, ...]) -> None:
    """A producer that publishes all day beside Flower and idle workers makes neither of them dearer than they are."""
    evidence: tuple[float, ...] = ()
    for number in range(48):
        units = Exposure(flower=TEN_MINUTES, idle=TEN_MINUTES * workers[number % len(workers)])
        evidence = learn(evidence, units, TEN_MINUTES, commands(units, USUAL) + others * TEN_MINUTES)

    costs, _ = solve(evidence)

    assert costs.flower == pytest.approx(USUAL.flower, rel=0.25)
    assert costs.idle == pytest.approx(USUAL.idle, abs=0.15 * others + 0.1)


def test_what_an_older_version_has_learned_is_learned_anew() -> None:
    """Evidence of another shape comes out of the journal once."""
    old = (1.0,) * 20

    assert learn((), Exposure(flower=TEN_MINUTES), TEN_MINUTES, 36.0) == learn(old, Exposure(flower=TEN_MINUTES), TEN_MINUTES, 36.0)
    assert (USUAL.idle, ()) == (solve(old)[0].idle, solve(old)[1])


@given(
    st.lists(
        st.tuples(st.builds(Exposure, *[st.floats(0, 1e5)] * len(NAMES)), st.floats(0, 1e7)),
        max_size=30,
    )
)
@settings(deadline=None)
def test_no_cost_is_ever_negative(readings: list[tuple[Exposure, float]]) -> None:
    """Whatever a server counts, nothing costs less than nothing, and nothing costs no number."""
    evidence: tuple[float, ...] = ()
    for units, count in readings:
        evidence = learn(evidence, units, TEN_MINUTES, count)

    costs, _ = solve(evidence)

    assert all(0 <= getattr(costs, name) < 1e9 for name in NAMES)
