"""The Kubernetes HPA's own test cases, asked of our decision: rates, windows, tolerance and bounds mean the same."""

from __future__ import annotations

import pytest
from builders import NOW, after, policies, seen
from peers import (
    CONFORMS,
    LONG_AGO,
    NO_DAMPING,
    Verdict,
    answer,
    asked_for,
    cases,
    container,
    differs,
    ended,
    filed,
    leaving,
    look,
    not_built,
    rows_on_page,
    unlimited,
)

from autoscaler.model import BacklogPerReplica, Damping, Memory, PoolDecision, PoolMemory
from autoscaler.policy.pace import net_change
from autoscaler.policy.reasons import Reason

CASES = cases("hpa_cases.json")
WORDS = {"DesiredWithinRange", "ScaleUpLimit", "ScaleDownLimit", "TooManyReplicas", "TooFewReplicas", "ScaleDownStabilized"}
"""Reasons that both have; the HPA says DesiredWithinRange where no rule of ours has held anything back."""

NOTHING_SAID = {"policies": [{"type": "percent", "value": None, "period_s": 0}]}
"""No rules in the case: its own defaults in the HPA, no limit with us."""


def word(made: PoolDecision) -> str:
    """Our reason in the HPA's words."""
    return made.reason if made.reason in WORDS else "DesiredWithinRange"


def damping(rate: dict) -> Damping:
    """One rate policy as a `max_step` with its period."""
    key = "max_step" if rate["type"] == "pods" else "max_step_percent"
    return Damping(**{key: rate["value"]}, period_seconds=float(rate["period_s"]), stabilization_seconds=0.0)


def changes(given: dict) -> tuple[tuple[float, int], ...]:
    """The scale events of both directions as one history."""
    ups = [(NOW - e["ago_s"], e["change"]) for e in given.get("up_events") or ()]
    downs = [(NOW - e["ago_s"], -e["change"]) for e in given.get("down_events") or ()]
    return tuple(sorted(ups + downs))


# ---------------------------------------------------------------- rates and bounds


def rate_limit(given: dict, expected: dict) -> Verdict:
    """A count on its way through the rate policies of its direction and the bounds."""
    going_up = given["desired"] > given["current"]
    rules = given.get("up_rules" if going_up else "down_rules") or NOTHING_SAID
    memory = PoolMemory(recommendations=LONG_AGO, changes=changes(given))
    found = []
    for rate in rules["policies"]:
        damped = {"scale_up" if going_up else "scale_down": damping(rate)}
        policy = unlimited(replicas_min=given["min"], replicas_max=given["max"], **damped)
        made = answer(policy, asked_for(given["current"], given["desired"]), memory)
        found.append((made.desired, word(made)))
    wanted = (expected["replicas"], expected.get("condition", found[0][1]))
    if set(found) == {wanted}:
        return CONFORMS
    assert len(found) > 1
    farthest = max if (rules["select"] == "max") == going_up else min
    assert wanted == farthest(found)
    return differs("several policies in one direction")


def scale_down_limit(given: dict, expected: dict) -> Verdict:
    """How far down the rate policies go, with nothing else to stop at."""
    return rate_limit({**given, "desired": 0, "min": 0, "max": 1000}, {"replicas": expected["limit"]})


def legacy_clamp(given: dict, expected: dict) -> Verdict:
    """Bounds and the older limit, so many times the present count."""
    step = Damping(max_step_percent=100.0 * (given["scale_up_limit_factor"] - 1), stabilization_seconds=0.0)
    policy = unlimited(replicas_min=given["min"], replicas_max=given["max"], scale_up=step)
    made = answer(policy, asked_for(given["current"], given["desired"]))
    assert (expected["replicas"], expected["condition"]) == (made.desired, word(made))
    return CONFORMS


def event_log(given: dict, expected: dict) -> Verdict:
    """What of the past counts now, and once one more change was made."""
    period = float(given["period_s"])
    past = changes({"up_events": given["events"]})
    assert expected["change_in_period"] == net_change(past, period, NOW)

    kept = after(policies(unlimited()), seen(waiting=given["new_change"]), Memory({"p": PoolMemory(changes=past)}), NOW).of("p")
    counted = net_change(kept.changes, period, NOW)
    if not given["rules"]:
        assert (0, given["new_change"]) == (sum(e["change"] for e in expected["log"]), counted)
        return differs("changes are always remembered")
    assert sum(e["change"] for e in expected["log"] if not e["outdated"]) == counted
    return CONFORMS


# ---------------------------------------------------------------- windows


def history(recommendations: list[dict] | None) -> tuple[tuple[float, int], ...]:
    """Recommendations as we remember them; the HPA writes null for none yet, and [] where the test leaves the window out."""
    if recommendations is None:
        return ()
    return tuple(sorted((NOW - r["ago_s"], r["replicas"]) for r in recommendations)) or LONG_AGO


def stabilize(given: dict, expected: dict) -> Verdict:
    """Up to the least, down to the most of the window of the direction."""
    past = history(given["recommendations"])
    current = given.get("current", max(count for _, count in past))
    policy = unlimited(
        scale_up=Damping(stabilization_seconds=float(given.get("up_window_s", 0))),
        scale_down=Damping(stabilization_seconds=float(given.get("down_window_s", given.get("window_s")))),
    )
    made = answer(policy, asked_for(current, given["desired"]), PoolMemory(recommendations=past))
    assert expected["replicas"] == made.desired
    return CONFORMS


# ---------------------------------------------------------------- from a metric to a count


def metric(given: dict, expected: dict) -> Verdict:
    """A metric and its target, as a backlog of the same ratio."""
    if row := _nothing_to_ask(given, expected):
        return not_built(row)
    policy, waiting = _sized(given)
    gone = [(f"g{i}", phase) for i, phase in enumerate(_gone(given))]
    containers = tuple(ended(name) if phase == "failed" else container(name) for name, phase in gone)
    memory = PoolMemory(
        recommendations=history(given.get("recommendation_log", [])),
        drains=leaving(*[name for name, phase in gone if phase == "deleting"]),
    )
    made = answer(policy, look(given["current"], waiting, unseen_queue="second_metric" in given, gone=containers), memory)
    assert expected.get("replicas", given["current"]) == made.desired
    assert ("fault" in given or "error_contains" in expected or "second_metric" in given) == (Reason.BLIND == made.reason)
    assert {word(made)} & set(expected.get("conditions", ())) or not WORDS & set(expected.get("conditions", ()))
    return CONFORMS


def _nothing_to_ask(given: dict, expected: dict) -> str:
    """The row of what the case is about, where we have no such thing."""
    here = [i for i in range(len(given.get("pod_phase", given.get("pod_deleting", ())))) if _is_here(given, i)]
    ready = [given["pod_ready"][i] for i in here or range(len(given["pod_ready"]))] if "pod_ready" in given else []
    if "starting" in given.get("pod_age", ()) or False in ready:
        return "readiness of pods"
    if "target_percent" in given and "target_milli" in given:
        return "several measures for one pool"
    told = len(given.get("levels_milli", ()))
    whole = told == given["current"] and "error_contains" not in expected
    window_decides = bool(given.get("recommendation_log"))
    if _is_per_pod(given) and told and _is_asked(given) and not (whole or window_decides):
        return "a load for each pod"
    return ""


def _is_here(given: dict, i: int) -> bool:
    return given.get("pod_phase", {i: "running"})[i] == "running" and not given.get("pod_deleting", {i: False})[i]


def _gone(given: dict) -> list[str]:
    """Pods beside those that count: failed, or told to leave."""
    return [phase for phase in given.get("pod_phase", ()) if phase == "failed"] + ["deleting" for d in given.get("pod_deleting", ()) if d]


def _is_per_pod(given: dict) -> bool:
    return given.get("metric") in ("cpu_utilization", "pods_average", "podMetric")


def _is_asked(given: dict) -> bool:
    """Outside of the bounds the HPA goes back into them without a look at the metric."""
    return given.get("min", 0) <= given["current"] <= given.get("max", 1000)


def _sized(given: dict):
    """The policy, and the backlog that has the metric's ratio to its target."""
    tolerance, window = given.get("tolerance", 0.1), float(given.get("downscale_stabilization_s", 0))
    waiting, target = _backlog(given)
    factor = given.get("scale_up_limit_factor", 8)
    policy = unlimited(
        queues=("p", "q") if "second_metric" in given else ("p",),
        replicas_min=given.get("min", 0),
        replicas_max=given.get("max", 1000),
        sizing=BacklogPerReplica(float(target), tolerance),
        scale_up=Damping(max_step_percent=100.0 * (factor - 1), stabilization_seconds=0.0),
        scale_down=Damping(stabilization_seconds=window) if window else NO_DAMPING,
    )
    return policy, waiting


def _backlog(given: dict) -> tuple[int | None, int]:
    """(waiting, per replica); waiting is None where the metric cannot be had."""
    levels = given.get("levels_milli", ())
    target = next((given[key] for key in ("target", "per_pod_target", "target_milli", "target_percent") if key in given), 1)
    if "fault" in given or not levels or not _is_asked(given):
        return None, target
    if given["metric"] == "cpu_utilization":
        asked = [m for i, m in enumerate(given["requests_milli"]) if i < given["current"]]
        return 100 * sum(levels) // sum(asked) * given["current"], target
    whole = given.get("target_kind") == "value" or given["metric"] in ("objectMetric", "externalMetric")
    return sum(levels) * (given["current"] if whole else 1), target


# ---------------------------------------------------------------- the table

JUDGES = {
    "rate_limit": rate_limit,
    "scale_down_limit": scale_down_limit,
    "legacy_clamp": legacy_clamp,
    "event_log": event_log,
    "stabilize_down_legacy": stabilize,
    "stabilize_behavior": stabilize,
    "metric_to_replicas": metric,
    "replica_calculator": metric,
}


def judged(case: dict) -> Verdict:
    """Where one case is filed; an AssertionError where we answer otherwise without having said so."""
    return JUDGES[case["kind"]](case["input"], case["expected"])


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_case_of_the_hpa(case):
    """It conforms, or stands in the table of those that do not."""
    verdict = judged(case)

    assert verdict == CONFORMS or verdict.row in rows_on_page("Kubernetes HPA")


def test_every_case_is_counted():
    """The decision names every kind and row with its number of cases, and no row without one."""
    assert filed([judged(case) for case in CASES]) == rows_on_page("Kubernetes HPA")
