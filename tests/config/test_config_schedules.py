"""Schedules: which bounds hold when, also in the nights when clocks change."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from autoscaler.config.models import Settings

BERLIN = ZoneInfo("Europe/Berlin")


def bounds(schedules: list[dict], *when: int) -> tuple[int, int]:
    """min and max of a pool with these schedules at this time in Berlin."""
    pool = {"queues": ["p"], "replicas": {"min": 0, "max": 5}, "worker": {"image": "x"}, "schedules": schedules}
    settings = Settings.model_validate({"flower": {"url": "http://f"}, "pools": {"p": pool}})
    policy = settings.policies(datetime(*when, tzinfo=BERLIN).timestamp()).pools["p"]
    return policy.replicas_min, policy.replicas_max


OFFICE = {"cron": "0 8 * * 1-5", "duration": "10h", "timezone": "Europe/Berlin", "min": 2}
NIGHT = {"cron": "0 22 * * *", "duration": "8h", "timezone": "Europe/Berlin", "min": 1, "max": 9}


@pytest.mark.parametrize(
    ("schedules", "when", "expected"),
    [
        pytest.param([OFFICE], (2026, 11, 23, 7, 59), (0, 5), id="before"),
        pytest.param([OFFICE], (2026, 11, 23, 8, 0), (2, 5), id="at once"),
        pytest.param([OFFICE], (2026, 11, 23, 17, 59), (2, 5), id="to the end"),
        pytest.param([OFFICE], (2026, 11, 23, 18, 0), (0, 5), id="after"),
        pytest.param([OFFICE], (2026, 11, 21, 12, 0), (0, 5), id="not on Saturday"),
        pytest.param([NIGHT], (2026, 11, 23, 3, 0), (1, 9), id="over midnight"),
        pytest.param([OFFICE, {**OFFICE, "min": 4}], (2026, 11, 23, 12, 0), (4, 5), id="the greatest of two"),
        pytest.param([{**OFFICE, "min": 8}], (2026, 11, 23, 12, 0), (8, 8), id="max gives way to min"),
        pytest.param([NIGHT], (2026, 10, 25, 4, 59), (1, 9), id="autumn: eight hours end at five"),
        pytest.param([NIGHT], (2026, 10, 25, 5, 1), (0, 5), id="autumn: and not later"),
        pytest.param([NIGHT], (2026, 3, 29, 6, 59), (1, 9), id="spring: eight hours end at seven"),
        pytest.param([NIGHT], (2026, 3, 29, 7, 1), (0, 5), id="spring: and not later"),
    ],
)
def test_bounds_of_the_moment(schedules, when, expected):
    """A window begins by its cron line in its zone and lasts elapsed time."""
    assert expected == bounds(schedules, *when)
