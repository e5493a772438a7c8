"""KEDA with its HPA, and Knative: moment by moment as their sources say."""

import pytest
from shown import course, seen

from autoscaler.sim.rivals.hpa import Hpa, for_metric, most_after
from autoscaler.sim.rivals.keda import Keda
from autoscaler.sim.rivals.knative import Knative

LOOKS_A_MINUTE = 24
"""KEDA's two clocks are looked at every 2.5 s."""


@pytest.mark.parametrize(
    ("metric", "target", "current", "replicas"),
    [
        pytest.param(8600, 3000, 5, 3, id="TestScaleDownPerPodCMExternal"),
        pytest.param(8600, 2150, 3, 4, id="TestReplicaCalcScaleUpPerPodCMExternal"),
        pytest.param(8600, 2900, 3, 3, id="TestReplicaCalcTolerancePerPodCMExternal"),
        pytest.param(8600, 2200, 4, 4, id="TestTolerancePerPodCMObject"),
    ],
)
def test_the_metric_is_divided_as_upstream(metric, target, current, replicas):
    """Cases of the HPA controller's own tests (kubernetes/kubernetes, pkg/controller/podautoscaler)."""
    assert for_metric(metric, target, current) == replicas


@pytest.mark.parametrize(
    ("past", "fresh", "replicas"),
    [
        pytest.param([(10, 600), (9, 540)], 3, 3, id="no stabilize - old recommendations"),
        pytest.param([(10, 600), (9, 540), (5, 120), (4, 60)], 3, 5, id="stabilize - old recommendations"),
        pytest.param([], 5, 5, id="empty recommendations for scaling down"),
    ],
)
def test_the_window_is_kept_as_upstream(past, fresh, replicas):
    """Likewise, TestNormalizeDesiredReplicas and TestNormalizeDesiredReplicasWithBehavior."""
    hpa = Hpa(300.0)
    hpa.recommendations.extend((1000.0 - ago, count) for count, ago in past)
    assert hpa.sync(1000.0, fresh, 1.0, 100) == replicas


def test_growth_is_bounded_by_four_pods_or_twice():
    """From one to thirty takes three syncs: 5, 10, 20."""
    hpa, count, counts = Hpa(), 1, []
    for sync in range(4):
        count = hpa.sync(15.0 * sync, 30, 1.0, count)
        counts.append(count)
    assert counts == [5, 10, 20, 30]
    assert [most_after(n) for n in (1, 3, 4, 5)] == [5, 7, 8, 10]


def test_keda_wakes_at_its_poll_and_the_hpa_grows():
    """Nothing between two polls; one at the poll; half a sync later what the list asks for."""
    moments = [(0, 0)] * 5 + [(40, 0)] * 13
    counts = course(Keda(), moments)
    assert counts == [0] * 12 + [1] * 3 + [5] * 3
    assert course(Keda(polling_seconds=5.0), [(0, 0), *[(40, 0)] * 4]) == [0, 0, 1, 5, 5]


def test_keda_takes_all_away_whoever_works():
    """Five minutes after the list was empty there are none, though ten tasks run; one that counts them keeps ten."""
    busy = [(0, 10)] * (6 * LOOKS_A_MINUTE)
    assert course(Keda(), busy, count=10)[-1] == 0
    assert course(Keda(1.0, counts_running=True), busy, count=10)[-1] == 10


def test_keda_tuned_is_quicker_down():
    """One minute instead of five, for the HPA's window and the way to none."""
    calm = [(8, 0)] * 4 + [(1, 0)] * (3 * LOOKS_A_MINUTE)
    slow, quick = (course(Keda(1.0, down_seconds=down), calm, count=8) for down in (300.0, 60.0))
    assert slow[-1] == 8
    assert quick[LOOKS_A_MINUTE] == 8
    assert quick[-1] == 1


def test_knative_panics_and_calms_down():
    """A burst is met from the mean of six seconds; nothing is taken back until a minute after the last sign of it."""
    knative = Knative()
    counts = course(knative, [(0, 2)] * 60 + [(20, 2)] * 10 + [(0, 2)] * 120, count=3)
    assert counts[58] == 3
    assert counts[61] > 6
    assert counts[69] == 32
    assert counts[100] == 32
    assert counts[-1] == 3
    assert knative.panic_since is None


def test_knative_halves_at_most():
    """From forty by halves, once a decision."""
    counts = course(Knative(), [(0, 0)] * 8, count=40)
    assert counts == [40, 20, 20, 10, 10, 5, 5, 2]


def test_knative_wakes_at_once_and_lets_the_last_go_late():
    """The activator does not wait for a decision; after a minute without work the last one stays for the grace period."""
    counts = course(Knative(), [(1, 0), *[(0, 0)] * 120])
    assert counts[0] == 1
    last = max(look for look, count in enumerate(counts) if count)
    assert last == 60 + 30


def test_knative_counts_only_what_its_own_pods_run():
    """A pod that is going away is not asked any more."""
    knative = Knative()
    for second in range(60):
        count = knative.want(seen(float(second), busy=[1], running=9))
    assert count == 2
