"""When a broker is left alone: while nothing is to do and its budget counts, while it refuses, and never when somebody wakes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import NOW, a_policy, container, policies, reading, seen, worker

from autoscaler.model import BrokerSight, BrokerTrack, Health, Memory, Order, OrderKind, Policies, PoolMemory, QueueSight, Record
from autoscaler.model.spending import Budget, Meter, Period, Usage
from autoscaler.policy.allowance import accounts
from autoscaler.policy.decide import decide
from autoscaler.policy.looks import (
    LONGEST_PAUSE_SECONDS,
    PROBE_SECONDS,
    SPENT_SECONDS,
    THIN_SECONDS,
    WOKEN_SECONDS,
    at_rest,
    pauses,
    rests,
    tick_seconds,
)
from autoscaler.policy.meter import day_name, month_name

BUDGET = Budget(10_000, "day")
SETTINGS = replace(policies(a_policy()), brokers=("primary", "fallback"), budgets={"primary": BUDGET})
SERVES = {"primary": BrokerTrack(answered=9, up_since=NOW - 900), "fallback": BrokerTrack(answered=9, up_since=NOW - 900)}


def a_record(
    settings: Policies = SETTINGS, *, waiting: int = 0, running: tuple[int, ...] = (), health: Health = Health.UP, used: float = 0.0
) -> tuple[Record, Memory]:
    """One tick with so much waiting on the primary, and the memory before it."""
    depth = {"p": QueueSight("p", reading(waiting), reading(0))}
    brokers = {
        "primary": BrokerSight("primary", health, "it says so" if health.is_down else "", fresh=True, queues=depth),
        "fallback": BrokerSight("fallback", Health.UP, "", fresh=True, queues={"p": QueueSight("p", reading(0), reading(0))}),
    }
    names = [f"w{i}" for i in range(len(running))]
    plain = seen(containers=[container(n) for n in names], workers=[worker(n, r) for n, r in zip(names, running, strict=True)])
    look = replace(plain, queues=depth, brokers=brokers)
    meter = Meter(NOW, day=Period(day_name(NOW), Usage(idle=used)), month=Period(month_name(NOW), Usage(idle=used)), pace=(used, 86_400.0))
    quiet = PoolMemory(recommendations=((NOW - 3600.0, 0),), ready=tuple(names))
    memory = Memory({"p": quiet}, "primary", SERVES, {"primary": meter})
    return Record(NOW, "hash", look, decide(settings, look, memory, NOW), ()), memory


def asked(settings: Policies = SETTINGS, *, memory: dict | None = None, wake: bool = False, **scene) -> dict[str, float]:
    """The pauses after such a tick."""
    record, before = a_record(settings, **scene)
    orders = {"p": (Order(OrderKind.WAKE, "p", NOW, "producer"),)} if wake else {}
    return pauses(settings, replace(before, **(memory or {})), record, orders, NOW)


def test_a_broker_without_a_budget_is_always_asked() -> None:
    """Looking costs nothing there."""
    assert {} == asked(replace(SETTINGS, budgets={}))


def test_at_rest_a_budget_sets_the_pace() -> None:
    """Nothing waits, nobody works: a look as often as a fifth of what is left allows."""
    (account,) = accounts(SETTINGS.budgets, {}, NOW).values()

    assert asked() == {"primary": pytest.approx((account.ends_at - NOW) / 2000)}


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param({"waiting": 1}, id="something waits"),
        pytest.param({"running": (1,)}, id="somebody works"),
        pytest.param({"running": (0,)}, id="somebody waits to be sent home"),
    ],
)
def test_with_work_every_tick_looks(scene: dict) -> None:
    """Fast while there is anything to decide."""
    assert {} == asked(**scene)


def test_with_work_on_a_thin_budget_a_little_less() -> None:
    """A look every ten seconds where the budget would not last."""
    assert {"primary": THIN_SECONDS} == asked(waiting=1, used=20_000.0)


def test_pools_that_are_woken_need_only_a_safety_look() -> None:
    """Producers have a token and have used it this week: ten minutes; where they never did, or may not, the budget's pace."""
    woken, by_producers = {"pools": {"p": PoolMemory(woken_at=NOW - 86_400.0)}}, replace(SETTINGS, wakes=True)

    assert {"primary": LONGEST_PAUSE_SECONDS} == asked(by_producers, memory=woken)
    assert asked(by_producers)["primary"] < LONGEST_PAUSE_SECONDS
    assert asked(SETTINGS, memory=woken)["primary"] < LONGEST_PAUSE_SECONDS


def test_a_wake_looks_at_once() -> None:
    """Whatever the pace is, also at a broker that does not serve."""
    down = {"brokers": {**SERVES, "primary": BrokerTrack(failed=9)}}

    assert {} == asked(wake=True)
    assert {} == asked(wake=True, health=Health.UNREACHABLE, memory=down)


def test_wakes_do_not_ask_a_spent_broker_all_the_time() -> None:
    """Producers that have gone to the fallback wake every two seconds; the primary, which may bill its refusals, is asked now and then."""
    spent = {"brokers": {**SERVES, "primary": BrokerTrack(failed=9)}, "active_broker": "fallback"}

    assert {"primary": WOKEN_SECONDS} == asked(wake=True, health=Health.QUOTA, memory=spent)


def test_an_interval_of_the_operators_own_is_kept() -> None:
    """`idle_interval` slows the whole loop, and each of its ticks looks."""
    assert {} == asked(replace(SETTINGS, idle_interval_seconds=60.0))


def test_the_loop_itself_slows_down_where_the_operator_says_so() -> None:
    """`idle_interval` while every pool is idle, never faster than `interval`; `auto` leaves the loop as it is."""
    slow, resting, working = replace(SETTINGS, idle_interval_seconds=600.0), a_record()[0], a_record(waiting=1)[0]

    assert (600.0, SETTINGS.interval_seconds) == (tick_seconds(slow, resting), tick_seconds(slow, working))
    assert SETTINGS.interval_seconds == tick_seconds(SETTINGS, resting) == tick_seconds(slow, None)
    assert SETTINGS.interval_seconds == tick_seconds(replace(SETTINGS, idle_interval_seconds=0.1), resting)


def test_a_rest_says_why() -> None:
    """In words for the status: a budget that is saved, work on a thin one, a quota that is gone."""
    scenes = ({}, {"waiting": 1, "used": 20_000.0}, {"health": Health.QUOTA})
    told = []
    for scene in scenes:
        record, memory = a_record(**scene)
        tracks = {**SERVES, "primary": BrokerTrack(failed=1)} if scene.get("health") else SERVES
        told.append(rests(SETTINGS, replace(memory, brokers=tracks), record, NOW)["primary"].why)

    assert ["nothing is to do there, and its budget is kept for work", "its budget would not last", "its quota is used up"] == told


def test_the_first_tick_looks() -> None:
    """Before anything was seen nothing can rest."""
    assert {} == pauses(SETTINGS, Memory(), None, {}, NOW)


# ---------------------------------------------------------------- trouble


@pytest.mark.parametrize(
    ("refusals", "pause"),
    [
        pytest.param(1, PROBE_SECONDS, id="once"),
        pytest.param(3, 4 * PROBE_SECONDS, id="again"),
        pytest.param(9, SPENT_SECONDS, id="for good"),
        pytest.param(99_999, SPENT_SECONDS, id="for weeks"),
    ],
)
def test_a_spent_quota_is_asked_more_and_more_rarely(refusals: int, pause: float) -> None:
    """A refusal may be billed, too; one that was a slip is over soon."""
    failed = {"brokers": {**SERVES, "primary": BrokerTrack(failed=refusals)}, "active_broker": "fallback"}

    assert {"primary": pause} == asked(health=Health.QUOTA, memory=failed)


@pytest.mark.parametrize(
    ("failed", "pause"),
    [pytest.param(1, {}, id="until it is surely down"), pytest.param(3, {"primary": PROBE_SECONDS}, id="then now and then")],
)
def test_other_trouble_is_looked_into(failed: int, pause: dict[str, float]) -> None:
    """Quickly until the failover is decided, then within the budget."""
    track = {"brokers": {**SERVES, "primary": BrokerTrack(failed=failed)}}

    assert pause == asked(health=Health.UNREACHABLE, memory=track)


def test_a_broker_on_probation_is_looked_at_often_enough() -> None:
    """It serves again after a failover: some looks soon, so that the return is not a matter of hours."""
    track = {"brokers": {**SERVES, "primary": BrokerTrack(answered=1, up_since=NOW)}, "active_broker": "fallback"}

    assert {"primary": PROBE_SECONDS} == asked(memory=track)


# ---------------------------------------------------------------- rest


@pytest.mark.parametrize(
    ("scene", "least", "resting"),
    [
        pytest.param({}, 0, True, id="nothing at all"),
        pytest.param({"running": (0,)}, 1, True, id="the minimum, idle"),
        pytest.param({"running": (1,)}, 1, False, id="the minimum, busy"),
        pytest.param({"running": (0, 0)}, 1, False, id="more than the minimum"),
        pytest.param({"waiting": 2}, 0, False, id="work"),
        pytest.param({"health": Health.UNREACHABLE}, 0, True, id="a broker down, its queue seen by others"),
    ],
)
def test_when_the_loop_is_at_rest(scene: dict, least: int, resting: bool) -> None:
    """Every pool idle, none with more replicas than it keeps without work."""
    settings = replace(SETTINGS, pools={"p": a_policy(replicas_min=least)})

    assert resting == at_rest(settings, a_record(settings, **scene)[0])


def test_a_broker_that_is_not_active_rests_alone() -> None:
    """While another one works, one on which nothing waits and nobody serves is asked at the pace of its own budget."""
    of_fallback = replace(SETTINGS, budgets={"fallback": BUDGET})

    assert ["fallback"] == [*asked(of_fallback, waiting=1)]
