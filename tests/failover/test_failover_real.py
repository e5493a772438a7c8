"""Two brokers, one with a quota that runs out: producers, workers and the daemon move, come back, and leave no task behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .course import run
from .parts import FALLBACK, PRIMARY, TwoBrokers, two_brokers
from .report import told

pytestmark = [pytest.mark.real, pytest.mark.tls, pytest.mark.timeout(150)]

HASTE = (
    "import autoscaler.policy.failover as f, autoscaler.policy.looks as l; f.BACK_SECONDS = 4.0; l.PROBE_SECONDS = 1.0; "
    "l.SPENT_SECONDS = 2.0; from autoscaler.cli import main; main()"
)
"""The daemon with a probation of four seconds instead of a minute, which asks a spent broker every other second, not every five minutes."""
RESTORED_SOON = {"visibility_timeout": 5, "unacked_restore_interval": 1, "unacked_mutex_expire": 5}
"""A worker that dies of the quota while it gives tasks back leaves kombu's lock behind, and nobody gives any back for five minutes."""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoBrokers]:
    """All parts are up, and nobody publishes yet."""
    monkeypatch.setenv("CELERY_BROKER_URL", "memory://")
    with two_brokers(tmp_path) as built:
        built.configure(RESTORED_SOON, interval="500ms")
        built.start_secured_flower()
        built.start_daemon(command=[sys.executable, "-c", HASTE])
        yield built


def test_fails_over_and_returns_without_losing_a_task(house: TwoBrokers) -> None:
    """The quota ends while workers run: they die, the fallback takes over; it is renewed: what was stranded runs, and home it goes."""
    found = run(house, [3.0], every_seconds=0.5, runtime=0.5, with_publish=True)

    assert () == found.lost
    assert {PRIMARY, FALLBACK} == set(found.accepted)
    assert f"{sum(found.accepted.values())} tasks accepted" in told(found)
    house.until_empty(40)
