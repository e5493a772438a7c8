"""Phases: what a container and its voice make of a replica."""

from dataclasses import replace

import pytest
from builders import NOW, a_policy, container, reading, seen, worker

from autoscaler.model import Drain, Phase, PoolMemory, Stale
from autoscaler.policy.census import census
from autoscaler.policy.view import view


@pytest.mark.parametrize(
    ("age", "online", "heard_before", "flower", "phase"),
    [
        pytest.param(5, None, False, True, Phase.STARTING, id="young and silent"),
        pytest.param(61, None, False, True, Phase.LOST, id="silent past the start timeout"),
        pytest.param(61, None, False, False, Phase.READY, id="silent while Flower is deaf"),
        pytest.param(5, True, False, True, Phase.READY, id="first voice"),
        pytest.param(300, None, True, True, Phase.READY, id="forgotten by Flower"),
        pytest.param(300, False, True, True, Phase.READY, id="said to be offline just now"),
        pytest.param(300, True, True, True, Phase.READY, id="voice back"),
    ],
)
def test_phase(age, online, heard_before, flower, phase):
    """Docker says that it exists, the sources whether it is heard."""
    voices = [] if online is None else [worker("a", 0, online=online)]
    look = seen(containers=[container("a", age=age)], workers=voices, flower=flower)
    memory = PoolMemory(ready=("a",) if heard_before else ())

    assert phase == view(a_policy(), census(look), memory, NOW).replicas[0].phase


@pytest.mark.parametrize(("silent", "phase"), [(9.9, Phase.READY), (10.0, Phase.LOST)])
def test_a_voice_is_lost_only_after_a_while(silent, phase):
    """A busy host misses heartbeats: a worker said to be offline is lost after ten seconds, and unknown until then."""
    look = seen(containers=[container("a")], workers=[worker("a", None, online=False)])
    replica = view(a_policy(), census(look), PoolMemory(ready=("a",), silent=(("a", NOW - silent),)), NOW).replicas[0]

    assert (phase, None) == (replica.phase, replica.running)


def test_a_drain_is_remembered_whatever_the_voice_says():
    """Flower shows a draining worker offline, then online again: the drain is ours to know."""
    look = seen(containers=[container("a")], workers=[worker("a", 1)])
    memory = PoolMemory(drains=(Drain("a", NOW - 3, "x"),))

    assert view(a_policy(), census(look), memory, NOW).replicas[0].phase is Phase.DRAINING


def test_a_worker_that_says_it_drains_is_draining():
    """After a lost memory the worker's own page still tells."""
    voice = replace(worker("a", 1), draining=reading(value=True))

    look = seen(containers=[container("a")], workers=[voice])

    assert view(a_policy(), census(look), PoolMemory(), NOW).replicas[0].phase is Phase.DRAINING


def test_stale_numbers_are_no_numbers():
    """What was true a while ago is not known now."""
    voice = replace(worker("a"), running=Stale(0, NOW - 100, "flower", "its heartbeat does not move"))

    assert view(a_policy(), census(seen(containers=[container("a")], workers=[voice])), PoolMemory(), NOW).replicas[0].running is None


def test_a_silent_start_is_idle_only_if_it_would_be_heard():
    """A starting replica runs nothing, unless nobody could have told."""
    young = container("a", age=5)

    assert view(a_policy(), census(seen(containers=[young])), PoolMemory(), NOW).replicas[0].running == 0
    assert view(a_policy(), census(seen(containers=[young], flower=False)), PoolMemory(), NOW).replicas[0].running is None


def test_foreign_workers_hold_their_own_tasks():
    """Unacknowledged tasks of a worker that is not ours are not left over."""
    look = seen(waiting=0, unacked=3, workers=[worker("somebody", 2, reserved=1)])

    assert view(a_policy(), census(look), PoolMemory(), NOW).leftover == 0


def test_task_that_is_due_within_a_start_waits_already():
    """A worker is started early enough to be ready for it; one whose time is far off is told apart, with the time left until the first."""
    look = seen(waiting=1)
    look = replace(look, queues={"p": replace(look.queues["p"], later=(NOW + 100.0, NOW + 5.0))})

    made = view(a_policy(), census(look), PoolMemory(boot_seconds=3.0), NOW, 2.0)

    assert (2, 1, 5.0) == (made.waiting, made.later, made.due_in_seconds)


@pytest.mark.parametrize(("running", "leftover"), [(1, 2), (None, 0)])
def test_messages_are_left_over_that_no_living_worker_can_hold(running, leftover):
    """A worker that will not say what it holds may hold all of them."""
    look = seen(unacked=3, containers=[container("a")], workers=[worker("a", running)])

    assert leftover == view(a_policy(), census(look), PoolMemory(ready=("a",)), NOW).leftover
