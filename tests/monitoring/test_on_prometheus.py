"""The shipped configuration on a real Prometheus: it finds daemon and workers, and tells of faults that are there."""

from __future__ import annotations

import pytest
from live import until
from scene import Scene

pytestmark = [pytest.mark.real, pytest.mark.prometheus, pytest.mark.timeout(150)]


def test_workers_are_discovered(scene: Scene) -> None:
    """`/api/v1/targets` is what Prometheus reads: every worker was scraped under the name of its pool, though it lived for seconds."""
    seen = scene.prometheus.ask('max by (pool) (max_over_time(up{job="celery-workers"}[10m]))')
    finished = scene.prometheus.ask('sum by (pool) (max_over_time(autoscaler_worker_tasks_finished_total{job="celery-workers"}[10m]))')

    assert [({"pool": "work"}, "1")] == [(series["metric"], series["value"][1]) for series in seen]
    assert 1 <= float(finished[0]["value"][1]) <= 4


def test_alerts_fire_for_what_is_wrong(scene: Scene) -> None:
    """Flower is dead and a pool cannot start: both are told, and nothing that is well."""
    wrong = {"AutoscalerFlowerDown", "AutoscalerWorkUnattended"}

    until(lambda: wrong <= scene.prometheus.alerts(), 20)
    known = wrong | {"AutoscalerNotConverging", "AutoscalerBlind", "AutoscalerSourceFlaky"}
    assert scene.prometheus.alerts() <= known


def test_a_dead_daemon_is_told(scene: Scene) -> None:
    """Last of all it is killed: nobody scrapes it any more, and that is the alert."""
    scene.house.kill_daemon()

    until(lambda: "AutoscalerDown" in scene.prometheus.alerts(), 20)
