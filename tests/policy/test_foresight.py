"""What would change a count: what foresight says is what the rules then do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import NOW, a_policy, after, calm, decided, fleet, policies, pool_of, reading, seen

from autoscaler.model import BacklogPerReplica, Damping, Flow, Memory, PoolMemory, TargetWait, Thresholds
from autoscaler.model.spending import Budget, Meter, Period, Usage
from autoscaler.policy.census import census
from autoscaler.policy.decide import decide
from autoscaler.policy.foresight import Foresight, foresee, next_change
from autoscaler.policy.meter import month_name


@pytest.mark.parametrize("sizing", [Thresholds(), Thresholds(up=3), TargetWait(10.0), BacklogPerReplica(5.0)], ids=str)
def test_foresight_says_what_then_happens(sizing):
    """The backlog it names adds replicas, one task fewer does not; the moment it names removes some, a moment earlier does not."""
    policy = a_policy(sizing=sizing, scale_down=Damping(stabilization_seconds=60.0))
    settings, look = policies(policy), seen(waiting=0, **fleet(0, 0, 1))
    memory = after(settings, look, calm(look, policy), NOW - 20)
    memory = Memory({"p": replace(memory.of("p"), recommendations=((NOW - 20, 3), (NOW, 1)), drains=())})
    told = foresee(settings, look, memory, "p")

    def count(waiting: int, now: float) -> int:
        return pool_of(decide(settings, replace(seen(waiting=waiting, **fleet(0, 0, 1)), at=now), memory, now)).desired

    assert count(told.up_at_waiting, NOW) > 3 >= count(told.up_at_waiting - 1, NOW)
    assert count(0, NOW + told.down_in_seconds) == told.down_to < 3
    assert count(0, NOW + told.down_in_seconds - 0.2) == 3
    assert f"down to {told.down_to} in 40 s if nothing arrives" in told.words()


def test_foresight_of_a_pool_at_rest():
    """At zero only work would change anything."""
    told = foresee(policies(), seen(waiting=0), Memory(), "p")

    assert "up at 1 waiting" == told.words()


EIGHT_SECONDS_EACH = Flow(at=NOW, busy_seconds=80.0, done=10.0)
UNDER_WAY = [
    pytest.param(
        a_policy(scale_down=Damping(stabilization_seconds=60.0)),
        PoolMemory(recommendations=((NOW - 20, 3), (NOW, 0))),
        seen(waiting=0, **fleet(0, 0, 0)),
        (0, 40.0),
        id="the window ends",
    ),
    pytest.param(
        a_policy(scale_up=Damping(cooldown_seconds=30.0, stabilization_seconds=0.0)),
        PoolMemory(last_up=NOW - 10),
        seen(waiting=3, **fleet(1)),
        (4, 20.0),
        id="the cooldown ends",
    ),
    pytest.param(
        a_policy(),
        PoolMemory(failures=2, backoff_until=NOW + 15),
        seen(waiting=9),
        (1, 16.0),
        id="the backoff ends between two looks",
    ),
    pytest.param(
        a_policy(slots=2, scale_down=Damping(stabilization_seconds=60.0)),
        PoolMemory(recommendations=((NOW - 20, 3), (NOW, 1)), flow=EIGHT_SECONDS_EACH),
        seen(waiting=0, **fleet(1, 1)),
        (1, 50.0),
        id="the window ends, and nobody is idle",
    ),
    pytest.param(
        a_policy(slots=2),
        PoolMemory(recommendations=((NOW - 20, 1),), flow=EIGHT_SECONDS_EACH, none_idle_since=NOW - 1),
        seen(waiting=0, **fleet(1, 1)),
        (1, 4.0),
        id="nobody has become idle",
    ),
]


@pytest.mark.parametrize(("policy", "kept", "look", "change"), UNDER_WAY)
def test_what_time_alone_will_do(policy, kept, look, change):
    """The first change, up or down, and at which look."""
    kept = replace(kept, ready=tuple(c.name for c in look.containers.value))
    told = next_change(policies(policy), census(look), Memory({"p": kept}), "p")

    assert (told.to, round(told.at - NOW, 1)) == change


@pytest.mark.parametrize(("policy", "kept", "look", "change"), UNDER_WAY)
def test_what_was_expected_is_found_again(policy, kept, look, change):
    """A tick later the same moment still stands, to the last bit; a wrong expectation is not believed."""
    kept = Memory({"p": replace(kept, ready=tuple(c.name for c in look.containers.value))})
    told = next_change(policies(policy), census(look), kept, "p")
    later = census(replace(look, at=NOW + 1.37))

    assert next_change(policies(policy), later, kept, "p", expected=told.at) == told
    for wrong in (told.at - 3.0, told.at + 3.0, NOW - 1):
        assert next_change(policies(policy), later, kept, "p", expected=wrong).at == pytest.approx(told.at, abs=2.0)


def test_foresight_knows_the_budget():
    """What a budget holds back now is not promised for more backlog; idle workers of a thin one leave sooner than the window says."""
    used = Meter(NOW, month=Period(month_name(NOW), Usage(idle=2000.0)), pace=(2000.0, 21_600.0))
    memory = Memory({"p": PoolMemory(recommendations=((NOW - 5.0, 1),), ready=("p0",))}, "b", meters={"b": used})
    slow = a_policy(scale_down=Damping(stabilization_seconds=600.0))

    def told(budget: Budget) -> Foresight:
        return foresee(replace(policies(slow), brokers=("b",), budgets={"b": budget}), seen(waiting=0, **fleet(0)), memory, "p")

    assert told(Budget(1000, "month", stops=True)).up_at_waiting is None
    assert told(Budget(1000, "month")).up_at_waiting == 1 + 1
    assert told(Budget(10**9, "month")).down_in_seconds > 3 * told(Budget(1000, "month")).down_in_seconds


def test_time_alone_changes_nothing_at_rest():
    """A pool that waits for work waits for ever."""
    assert next_change(policies(), census(seen(waiting=0)), Memory(), "p") is None


COUNTED = [replace(worker, started=reading(9), finished=reading(9)) for worker in fleet(0)["workers"]]
LOOK_BY_LOOK = [
    pytest.param(
        a_policy(spare=1),
        seen(**fleet(0) | {"workers": COUNTED}),
        Flow(at=NOW, started=9, finished=9, arrival_rate=0.01),
        0,
        id="a spare one",
    ),
    pytest.param(
        a_policy(sizing=Thresholds(up=3, max_wait_seconds=8.0), scale_up=Damping(stabilization_seconds=12.0)),
        seen(waiting=2, **fleet(1)),
        Flow(),
        3,
        id="tasks that have waited too long, and a window for scaling up",
    ),
]


@pytest.mark.parametrize(("policy", "look", "flow", "to"), LOOK_BY_LOOK)
def test_windows_over_looks_to_come_are_foreseen(policy, look, flow, to):
    """Looks to come will say something else, and a window asks for all of them: the change is at the very look that was said."""
    ready = tuple(c.name for c in look.containers.value)
    memory = Memory({"p": PoolMemory(recommendations=((NOW - 99, 1),), needs=((NOW - 99, 1),), flow=flow, ready=ready, desired=1)})
    memory = after(policies(policy), look, memory, NOW)
    told, now = next_change(policies(policy), census(look), memory, "p"), NOW + 2.0
    while decided(policy, replace(look, at=now), memory, now).desired == 1:
        memory, now = after(policies(policy), replace(look, at=now), memory, now), now + 2.0

    assert (told.to, told.at) == (to, now)
    assert now > NOW + 15.0


def test_the_look_before_a_fall_says_so():
    """A look takes nobody away that the one before still asked for: until the next one the count is what was decided."""
    look, ready = seen(waiting=0, **fleet(0, 0)), ("p0", "p1")
    memory = Memory({"p": PoolMemory(recommendations=((NOW - 99, 0), (NOW - 2, 2)), needs=((NOW - 99, 2),), ready=ready)})
    told = foresee(policies(), look, after(policies(), look, memory, NOW), "p")

    assert (told.down_to, told.down_in_seconds) == (0, 2.0)
