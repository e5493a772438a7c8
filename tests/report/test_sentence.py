"""Decisions in words."""

from __future__ import annotations

from telling import NOW, a_decision, a_replica, a_step, a_view

from autoscaler.model import Phase
from autoscaler.policy.reasons import Reason
from autoscaler.report.sentence import LIMITS, limits, waterfall, why

TWO = tuple(a_replica(f"a-browser-{i}") for i in range(2))
THREE = (*TWO, a_replica("a-browser-2"))
NEED = a_step(2, 7, reason="BacklogAboveThreshold", because="20 waiting + 8 busy of 8 slots: needs 7 of 4 slots each")


def test_growth_says_the_numbers() -> None:
    """From how many to how many, and the demand in its own words."""
    decision = a_decision("browser", NEED, view=a_view(replicas=TWO))

    assert why(decision, NOW) == "browser 2 -> 7: 20 waiting + 8 busy of 8 slots: needs 7 of 4 slots each"


def test_a_cut_growth_says_what_cut_it() -> None:
    """A limit that lowers the count stands behind the demand with what it made of it."""
    cut = a_step(7, 5, rule="max_step", reason="ScaleUpLimit", because="at most 3 more in one decision")
    decision = a_decision("browser", NEED, cut, view=a_view(replicas=TWO))

    assert why(decision, NOW).startswith("browser 2 -> 5: 20 waiting")
    assert why(decision, NOW).endswith("; max step - at most 3 more in one decision (5 instead of 7)")


def test_a_hold_says_what_holds_first() -> None:
    """At three in the morning the reason why nothing happens is worth more than the arithmetic."""
    less = a_step(3, 0, reason="NoDemand", because="0 waiting + 0 busy of 12 slots")
    blind = a_step(0, 3, rule="blind", reason="Blind", because="Flower cannot read its broker")
    decision = a_decision("reports", less, blind, view=a_view("reports", replicas=THREE, blind=("Flower cannot read its broker",)))

    assert why(decision, NOW) == (
        "reports 3, holding: blind - Flower cannot read its broker; the work asks for 0: 0 waiting + 0 busy of 12 slots"
    )


def test_nothing_to_do_has_words_too() -> None:
    """Rest is a decision as well."""
    assert why(a_decision(), NOW) == "browser 0: 0 waiting + 0 busy of 0 slots"


def test_an_unseen_fleet_is_a_hold() -> None:
    """The first step itself can be what holds."""
    step = a_step(0, 0, rule="fleet", reason="FleetUnseen", because="containers: Docker did not answer within 5 s")

    assert why(a_decision("browser", step), NOW) == "browser 0, holding: fleet - containers: Docker did not answer within 5 s"


def test_blindness_is_told_even_where_it_changes_nothing() -> None:
    """A pool that grows blindly says so, because nobody will see it shrink."""
    decision = a_decision("browser", NEED, view=a_view(waiting=None, replicas=TWO))

    assert "; cannot see queue browser" in why(decision, NOW)


def test_those_who_leave_are_told() -> None:
    """Draining replicas are in no count, so they are named with their longest time."""
    leaving = (a_replica("x", Phase.DRAINING, since=NOW - 90), a_replica("y", Phase.DRAINING, since=NOW - 5))

    assert why(a_decision(view=a_view(replicas=leaving)), NOW).endswith("; 2 draining, the longest for 1m30s")


def test_foreign_text_stays_on_one_line() -> None:
    """An error text with line breaks and colours cannot forge another line or paint the terminal."""
    step = a_step(0, 0, reason="NoDemand", because="bad\r\nbrowser 9 -> 0: all is well\x1b[31m" + "x" * 1000)

    told = why(a_decision("browser", step), NOW)

    assert "\n" not in told
    assert "\x1b" not in told
    assert len(told) < 500


def test_waterfall_is_aligned() -> None:
    """The steps one under another, in columns."""
    cut = a_step(7, 5, rule="max_step", reason="ScaleUpLimit", because="at most 3 more in one decision")

    assert waterfall(a_decision("browser", NEED, cut, view=a_view(replicas=TWO))) == (
        "demand    2 -> 7  BacklogAboveThreshold  20 waiting + 8 busy of 8 slots: needs 7 of 4 slots each",
        "max_step  7 -> 5  ScaleUpLimit           at most 3 more in one decision",
    )


def test_limits_leave_demand_out() -> None:
    """What the work asks for is not what holds it back."""
    blind = a_step(0, 3, rule="blind", reason=Reason.BLIND, because="no eyes")
    decision = a_decision("browser", a_step(3, 0), blind, view=a_view(replicas=THREE))

    assert limits(decision) == ("Blind",)
    assert set(LIMITS) < {reason.value for reason in Reason}
