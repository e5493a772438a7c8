"""Latency steppers, AWS, Dask and the homemade step: each rule in a short story."""

import math

import pytest
from shown import course, replicas, seen

from autoscaler.sim.rivals.aws import TargetTracking
from autoscaler.sim.rivals.dask import Dask
from autoscaler.sim.rivals.latency import hirefire, judoscale
from autoscaler.sim.rivals.step import Stepper


def latencies(rival, waits: list[float], count: int) -> list[int]:
    """The counts of a latency stepper that sees these ages of the oldest task."""
    counts = []
    for look, wait in enumerate(waits):
        count = rival.want(seen(look * rival.period_seconds, busy=[1] * count, oldest_wait_seconds=wait))
        counts.append(count)
    return counts


def test_hirefire_steps_once_a_minute():
    """Up at every check over 30 s, down at every check after a minute under 5 s, and nothing between."""
    assert latencies(hirefire(), [31.0, 40.0, 20.0, 4.0, 0.0, 0.0, 6.0, 0.0], 1) == [2, 3, 3, 3, 2, 1, 1, 1]


def test_judoscale_waits_ten_minutes_before_each_step_down():
    """And a minute between two steps up; any latency over 2 s begins the ten minutes anew."""
    assert latencies(judoscale(), [11.0] * 8, 1) == [2, 2, 2, 2, 2, 2, 3, 3]
    counts = latencies(judoscale(), [0.0] * 30 + [3.0] + [0.0] * 121, 5)
    assert counts[31 + 59] == 5
    assert counts[31 + 60] == 4
    assert counts[31 + 120] == 3


def test_the_homemade_step_pauses():
    """One at a time, in either direction, and one always stays."""
    assert course(Stepper(), [(11, 0)] * 8, count=1) == [2, 2, 2, 2, 2, 2, 3, 3]
    assert course(Stepper(5.0, 0, 1, 15.0), [(0, 0)] * 8, count=3) == [2, 2, 2, 1, 1, 1, 1, 1]
    assert course(Stepper(), [(0, 0), (11, 0)]) == [1, 2]


def test_aws_needs_three_minutes_to_grow_and_fifteen_to_shrink():
    """As many as the backlog asks for, then by half every five minutes."""
    rival = TargetTracking(10.0)
    assert course(rival, [(200, 0)] * 3, count=2) == [2, 2, 20]
    assert course(rival, [(0, 0)] * 25, count=20)[13:] == [20, *[10] * 5, *[5] * 5, 3]


def test_aws_counts_what_it_added_as_part_of_the_next_step():
    """During the cooldown only a larger step goes on, by the difference."""
    rival = TargetTracking(10.0)
    counts = course(rival, [(80, 0)] * 3 + [(130, 0), (260, 0)], count=2)
    assert counts == [2, 2, 8, 8, 8 + (26 - 8 - 6)]


def test_dask_asks_for_the_work_in_five_seconds():
    """Never more than a thread for each task, and by the time that tasks have taken."""
    rival = Dask()
    assert rival.want(seen(0.0, waiting=100)) == 10, "half a second each is assumed"
    assert rival.want(seen(1.0, waiting=100, finished=1, finished_seconds=4.0)) == 80
    assert rival.want(seen(2.0, waiting=100, finished=2, finished_seconds=4.2, busy=[2] * 4, slots=2)) == math.ceil(108 * 2.1 / 5 / 2)
    assert rival.want(seen(3.0, waiting=1, busy=[1, 1], finished=3, finished_seconds=99.0)) == 3


def test_dask_reckons_with_twice_the_longest_that_runs():
    """Until the first has finished."""
    assert Dask().want(seen(30.0, waiting=9, busy=[1])) == 10
    assert Dask().want(seen(1.0, waiting=9, busy=[1])) == 4


def test_dask_closes_whom_it_proposed_three_times_in_a_row():
    """Idle workers only; one that got a task in between is counted anew."""
    rival = Dask()
    counts = [rival.want(seen(float(second), busy=busy)) for second, busy in enumerate([[1, 0, 0], [1, 0, 0], [1, 0, 0]])]
    assert counts == [3, 3, 1]
    rival, moments = Dask(), [[1, 0, 0], [1, 0, 1], [1, 0, 0], [1, 0, 0], [1, 0, 0]]
    counts = [rival.want(seen(float(second), busy=busy)) for second, busy in enumerate(moments)]
    assert counts == [3, 3, 2, 3, 2]


def test_dask_takes_starting_workers_back_first():
    """As many of them as are too many."""
    rival = Dask()
    counts = [rival.want(seen(float(second), busy=[1], starting=2)) for second in range(3)]
    assert counts == [3, 3, 1]
    assert len(replicas([1], starting=2)) == 3


@pytest.mark.parametrize("rival", [hirefire(), judoscale(), Dask()])
def test_they_go_to_none(rival):
    """Without work for an hour."""
    assert course(rival, [(0, 0)] * int(3600 / rival.period_seconds), count=3)[-1] == 0
