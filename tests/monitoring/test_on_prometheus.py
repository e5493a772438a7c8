"""The shipped files on a real Prometheus: it finds daemon and workers, fills every panel, and faults that are there are told."""

from __future__ import annotations

import math
import re
import time
from functools import partial

import pytest
from boards_read import EXPRESSIONS, VARIABLES, asked
from live import until
from scene import TASKS, Scene

pytestmark = [pytest.mark.real, pytest.mark.prometheus, pytest.mark.timeout(150)]


def test_workers_are_discovered(scene: Scene) -> None:
    """`/api/v1/targets` is what Prometheus reads: every worker was scraped under the name of its pool, though it lived for seconds."""
    seen = scene.prometheus.ask('max by (pool) (max_over_time(up{job="celery-workers"}[10m]))')
    finished = scene.prometheus.ask('sum by (pool) (max_over_time(autoscaler_worker_tasks_finished_total{job="celery-workers"}[10m]))')

    assert [({"pool": "work"}, "1")] == [(series["metric"], series["value"][1]) for series in seen]
    assert 1 <= float(finished[0]["value"][1]) <= TASKS


chosen = partial(asked, rate="5s", span="60s")


@pytest.mark.parametrize("definition", VARIABLES)
def test_variables_have_choices(scene: Scene, definition: str) -> None:
    """A board without a pool or an instance to choose would show nothing."""
    series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", definition).groups()

    assert scene.prometheus.get(f"label/{label}/values", **{"match[]": chosen(series)})


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_panels_are_filled(scene: Scene, expression: str) -> None:
    """Every query of every panel and annotation has a number somewhere in the scene: no error, not empty, not only NaN."""
    if "failovers" in expression:  # there is one broker: the marks of a failover are there as zeros, which the boards leave out
        expression = expression.removesuffix(" > 0")

    curves = scene.prometheus.curve(chosen(expression), scene.began, time.time())
    points = [float(value) for curve in curves for _, value in curve["values"]]

    assert [point for point in points if not math.isnan(point)]


def test_alerts_fire_for_what_is_wrong(scene: Scene) -> None:
    """Flower is dead and a pool cannot start: both are told, and nothing that is well."""
    wrong = {"AutoscalerFlowerDown", "AutoscalerWorkUnattended"}

    until(lambda: wrong <= scene.prometheus.alerts(), 20)
    due = {"AutoscalerNotConverging", "AutoscalerBlind", "AutoscalerSourceFlaky", "AutoscalerWorkersFail"}  # on a slow machine
    assert scene.prometheus.alerts() <= wrong | due


def test_trouble_is_sent(scene: Scene) -> None:
    """The pool that cannot start is in a message that a real receiver got, and no secret is in the daemon's log."""
    message = scene.messages.get(timeout=20)

    assert message["title"] == "autoscaler autoscaler"
    assert message["message"].startswith("workers fail: broken ")
    assert "the-password" not in scene.house.log


def test_a_dead_daemon_is_told(scene: Scene) -> None:
    """Last of all it is killed: nobody scrapes it any more, and that is the alert."""
    scene.house.kill_daemon()

    until(lambda: "AutoscalerDown" in scene.prometheus.alerts(), 20)
