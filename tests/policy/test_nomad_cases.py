"""The Nomad Autoscaler's own test cases where a word of ours is theirs, too: targets, limits, cooldown, dry run, errors."""

from __future__ import annotations

import pytest
from builders import NOW
from peers import (
    CONFORMS,
    LONG_AGO,
    NO_DAMPING,
    Verdict,
    answer,
    asked_for,
    cases,
    differs,
    filed,
    look,
    not_built,
    rows_on_page,
    unlimited,
)
from pydantic import ValidationError

from autoscaler.config.pools import DampingSettings
from autoscaler.model import BacklogPerReplica, Damping, PoolDecision, PoolMemory
from autoscaler.policy.reasons import Reason

CASES = cases("nomad_cases.json")
PRECISION = 1_000_000
"""Their metrics have fractions, our backlog is in whole tasks: both sides of the ratio are multiplied by this."""


def is_answer(made: PoolDecision, expected: dict) -> bool:
    """Whether direction and count are theirs; where they give no action, we change nothing."""
    action = expected.get("action", expected) or {"direction": "none", "count": None}
    count = action.get("count")
    return action["direction"] == made.direction and count in (None, made.desired)


def target_value(given: dict, expected: dict) -> Verdict:
    """So much of the metric for each replica."""
    config = given.get("config", {"target": "1", "threshold": given.get("threshold", 0.01)})
    if "error" in expected:
        return refused(config)
    if float(config["target"]) == 0:
        return not_built("a target of nothing")
    metrics = given.get("metrics", [given.get("factor")])
    waiting = round(metrics[-1] * max(1, given["count"]) * PRECISION) if metrics else None
    sizing = BacklogPerReplica(float(config["target"]) * PRECISION, tolerance=float(config.get("threshold", 0.01)))
    made = answer(unlimited(sizing=sizing, **steps(config)), look(given["count"], waiting))
    if "factor" in given:  # only the direction is asked for, before the count is rounded up
        assert ("none" == expected["direction"]) == (Reason.WITHIN_TOLERANCE == made.reason)
    else:
        assert is_answer(made, expected)
    return CONFORMS


def pass_through(given: dict, expected: dict) -> Verdict:
    """The metric is the count."""
    if "error" in expected:
        return refused(given["config"])
    metrics = given.get("metrics", [given.get("metric")])
    seen = asked_for(given["count"], round(metrics[-1])) if metrics else look(given["count"], None)
    assert is_answer(answer(unlimited(**steps(given.get("config", {}))), seen), expected)
    return CONFORMS


def fixed_value(given: dict, expected: dict) -> Verdict:
    """A count given by the operator: both bounds."""
    if "error" in expected:
        return not_built("texts of the configuration's errors")
    fixed = round(given.get("fixed") or float(given["config"]["value"]))
    assert is_answer(answer(unlimited(replicas_min=fixed, replicas_max=fixed), asked_for(given["count"], given["count"])), expected)
    return CONFORMS


def clamp(given: dict, expected: dict) -> Verdict:
    """Bounds; within them nothing is said."""
    made = answer(unlimited(replicas_min=given["min"], replicas_max=given["max"]), asked_for(given["desired"], given["desired"]))
    assert (expected["count"], expected["reason"] is None) == (made.desired, made.reason is Reason.DEMAND)
    return CONFORMS


def cooldown(given: dict, expected: dict) -> Verdict:
    """What is left of a cooldown since the last change; nothing or less is none."""
    policy = unlimited(scale_up=Damping(cooldown_seconds=float(given["cooldown_s"]), stabilization_seconds=0.0))
    memory = PoolMemory(recommendations=LONG_AGO, last_up=NOW - given["last_event_ago_s"])
    made = answer(policy, asked_for(1, 2), memory)
    left = expected["remaining_s"]
    assert (left > 0) == (made.reason is Reason.COOLING_DOWN)
    assert left <= 0 or f"{left:.0f} s of the cooldown are left" in made.steps[-1].because
    return CONFORMS


def dry_run(given: dict, expected: dict) -> Verdict:
    """They write -1 into the decision; ours is the same with and without, and only the hands are dry."""
    made = answer(unlimited(), asked_for(1, given["desired"]))
    assert (expected["meta_count"], -1) == (made.desired, expected["count"])
    return differs("a dry run's decision")


def on_error(given: dict, expected: dict) -> Verdict:
    """A source that cannot be read holds the pool; there is no other choice."""
    assert ("no action, no error", True) == (expected["outcome"], given["strategy_error"])
    made = answer(unlimited(), look(3, None))
    assert ("none", Reason.BLIND) == (made.direction, made.reason)
    return CONFORMS


def votes(given: dict, expected: dict) -> Verdict:
    """Several checks, each with a count of its own."""
    return not_built("several checks that vote")


def threshold(given: dict, expected: dict) -> Verdict:
    """A fixed change while a value stays within bounds."""
    return not_built("steps while a value is within bounds")


def steps(config: dict) -> dict[str, Damping]:
    """`max_scale_up` and `max_scale_down` as our `max_step`."""
    found = {way: config.get(f"max_{way}") for way in ("scale_up", "scale_down")}
    return {way: Damping(max_step=int(step), stabilization_seconds=0.0) if step else NO_DAMPING for way, step in found.items()}


def refused(config: dict) -> Verdict:
    """A limit that is no number is refused by both; only theirs has a threshold to write beside a target."""
    step = config.get("max_scale_up") or config.get("max_scale_down")
    if not step:
        return not_built("texts of the configuration's errors")
    with pytest.raises(ValidationError, match="is not a step"):
        DampingSettings(max_step=step)
    return CONFORMS


JUDGES = {
    "target-value": target_value,
    "pass-through": pass_through,
    "fixed-value": fixed_value,
    "threshold": threshold,
    "clamp": clamp,
    "cooldown": cooldown,
    "dry_run": dry_run,
    "on_error": on_error,
    "combine": votes,
    "combine_groups": votes,
}


def judged(case: dict) -> Verdict:
    """Where one case is filed; an AssertionError where we answer otherwise without having said so."""
    return JUDGES[case["strategy"]](case["input"], case["expected"])


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_case_of_nomad(case):
    """It conforms, or stands in the table of those that do not."""
    verdict = judged(case)

    assert verdict == CONFORMS or verdict.row in rows_on_page("Nomad Autoscaler")


def test_every_case_is_counted():
    """The decision names every kind and row with its number of cases, and no row without one."""
    assert filed([judged(case) for case in CASES]) == rows_on_page("Nomad Autoscaler")
