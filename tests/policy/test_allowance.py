"""Budgets: where they will be, when they run out, and what follows from that."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from autoscaler.model.spending import FREE, USUAL, Budget, Meter, Period, Usage
from autoscaler.policy.allowance import account, purse
from autoscaler.policy.looks import LONGEST_PAUSE_SECONDS, seconds_between_looks

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
A_DAY = Budget(10_000, "day")


def a_meter(used: float, per_second: float = 0.0, *, observed_hours: float = 24.0, day: str = "2026-11-21") -> Meter:
    """So much used today, at this average of the last hours."""
    seconds = 3600 * observed_hours
    return Meter(NOON, day=Period(day, Usage(idle=used)), month=Period(day[:7], Usage(idle=used)), pace=(per_second * seconds, seconds))


@pytest.mark.parametrize(
    ("used", "per_second", "projected", "clock"),
    [
        pytest.param(4_000, 0.09, 7_888, None, id="it lasts"),
        pytest.param(4_000, 0.2, 12_640, "20:20", id="it runs out in the evening"),
        pytest.param(12_000, 0.2, 20_640, "12:00", id="it is spent already"),
        pytest.param(0, 0.0, 0, None, id="nothing was used"),
    ],
)
def test_where_a_budget_will_be(used: float, per_second: float, projected: float, clock: str | None) -> None:
    """The worked example of the module, in numbers."""
    found = account(A_DAY, a_meter(used, per_second), NOON)

    assert found.projected == pytest.approx(projected)
    assert clock == (found.runs_out_at and f"{datetime.fromtimestamp(found.runs_out_at, UTC):%H:%M}")


def test_a_months_budget_goes_by_the_month() -> None:
    """Nine and a half days are left of November at noon of the 21st."""
    found = account(Budget(500_000, "month"), a_meter(100_000, 0.1), NOON)

    assert found.projected == pytest.approx(100_000 + 0.1 * 9.5 * 86_400)
    assert found.ends_at == datetime(2026, 12, 1, tzinfo=UTC).timestamp()


def test_yesterdays_use_is_forgiven() -> None:
    """A period that is over counts for nothing in the next."""
    assert 0 == account(A_DAY, a_meter(9_999, day="2026-11-20"), NOON).used


@pytest.mark.parametrize(("used", "stage"), [(4_999, 0.0), (5_000, 0.5), (8_000, 0.8), (9_500, 0.95), (10_000, 1.0), (20_000, 1.0)])
def test_stages_at_which_somebody_hears_of_it(used: float, stage: float) -> None:
    """Half, four fifths, nineteen twentieths, all."""
    assert stage == account(A_DAY, a_meter(used), NOON).stage


def test_five_busy_minutes_are_no_month() -> None:
    """A daemon that has just begun takes the hours it has not seen for quiet ones."""
    found = account(A_DAY, a_meter(600, 2.0, observed_hours=5 / 60), NOON)

    assert found.projected == pytest.approx(600 + 600 / 21_600 * 43_200)
    assert not found.breaks


# ---------------------------------------------------------------- what follows


def test_a_budget_that_lasts_asks_nothing() -> None:
    """No purse, no rule, no word."""
    meter = a_meter(4_000, 0.09)

    assert FREE == purse(account(A_DAY, meter, NOON), meter)


def test_an_idle_worker_is_kept_for_what_its_restart_costs() -> None:
    """125 commands for a start, 1.77 a second of waiting: 71 s; a frugal worker is kept much longer."""
    meter = a_meter(4_000, 0.2)
    frugal = replace(meter, costs=replace(USUAL, idle=0.033, starts=24.0))

    assert purse(account(A_DAY, meter, NOON), meter).keep_seconds == pytest.approx(70.6, abs=0.1)
    assert purse(account(A_DAY, frugal, NOON), frugal).keep_seconds == pytest.approx(727, abs=1)


def test_only_stop_stops() -> None:
    """A spent budget holds no work back, unless the operator says so."""
    meter = a_meter(10_001, 0.2)

    assert not purse(account(A_DAY, meter, NOON), meter).spent
    assert purse(account(replace(A_DAY, stops=True), meter, NOON), meter).spent


# ---------------------------------------------------------------- looks


@pytest.mark.parametrize(
    ("left", "days", "seconds"),
    [
        pytest.param(250_000, 15, 26, id="half of half a million"),
        pytest.param(500_000, 30, 26, id="all of it at the beginning"),
        pytest.param(10_000, 1, 43, id="10,000 a day"),
        pytest.param(1_000, 10, LONGEST_PAUSE_SECONDS, id="nearly gone"),
        pytest.param(0, 10, LONGEST_PAUSE_SECONDS, id="gone"),
    ],
)
def test_looks_at_nothing_take_a_fifth(left: float, days: float, seconds: float) -> None:
    """How far apart they are follows from what is left, and for how long."""
    assert seconds_between_looks(left, days * 86_400) == pytest.approx(seconds, abs=0.5)
