"""A pool on two brokers: workers where the work is, one maximum for both, and told as one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import NOW, a_policy, calm, container, policies, pool_of, reading, seen, worker

from autoscaler.model import (
    ActionKind,
    BrokerSight,
    BrokerTrack,
    Container,
    ContainerState,
    Decision,
    Exit,
    Health,
    Known,
    Memory,
    Observation,
    Order,
    OrderKind,
    Outcome,
    PoolDecision,
    PoolMemory,
    QueueSight,
    Record,
    Result,
    Unknown,
)
from autoscaler.policy.decide import decide
from autoscaler.policy.foresight import foresee
from autoscaler.policy.memory import remember

BROKERS = ("primary", "fallback")
SPENT = "primary has used up its quota"


def at(broker: str, *running: int | None) -> tuple[tuple[Container, int | None], ...]:
    """Ready workers that serve this broker and run so many tasks each."""
    return tuple((container(f"{broker}{i}", broker=broker), count) for i, count in enumerate(running))


def look(
    *replicas: tuple[Container, int | None], primary: int | Health = 0, fallback: int | Health = 0, unacked: int = 0
) -> Observation:
    """One look at pool `p`: what waits on each broker, or how it refuses, and who runs what. `unacked` is on the fallback."""
    plain = seen(containers=[c for c, _ in replicas], workers=[worker(c.name, n) for c, n in replicas])
    sights = {name: sight(name, state, unacked * (name == "fallback")) for name, state in (("primary", primary), ("fallback", fallback))}
    return replace(plain, queues=sights["primary"].queues, brokers=sights)


def sight(name: str, state: int | Health, unacked: int = 0) -> BrokerSight:
    """A broker with so many tasks in queue `p`, or one that does not serve."""
    if isinstance(state, Health):
        return BrokerSight(name, state, SPENT, fresh=True, queues={"p": QueueSight("p", Unknown(SPENT))})
    return BrokerSight(name, Health.UP, "", fresh=True, queues={"p": QueueSight("p", reading(state), reading(unacked))})


def remembered(active: str = "fallback", look: Observation | None = None) -> Memory:
    """A long quiet past with this broker active and both well."""
    tracks = {name: BrokerTrack(answered=99, up_since=NOW - (5.0 if name != active else 500.0)) for name in BROKERS}
    quiet = calm(look).of("p") if look else PoolMemory()
    return Memory({"p": quiet, "p@fallback": quiet}, active, tracks)


def decided(observed: Observation, memory: Memory | None = None, **changes) -> PoolDecision:
    """What is decided about the one pool."""
    settings = replace(policies(a_policy(**changes)), brokers=BROKERS)
    return pool_of(decide(settings, observed, memory or remembered(look=observed), NOW))


def wanted(decision: PoolDecision) -> dict[str, int]:
    """Desired replicas by lane."""
    return {lane.broker or "primary": lane.desired for lane in decision.lanes or (decision,)}


def starts(decision: PoolDecision) -> list[str]:
    """The lanes of the starts."""
    return [a.broker for a in decision.actions if a.kind is ActionKind.START]


# ---------------------------------------------------------------- where workers are


def test_one_broker_is_as_none() -> None:
    """With a single broker nothing of all this shows: same keys, no lanes, and its containers count whatever their label says."""
    observed = look(*at("primary", 0), (container("old"), 1), primary=3)
    plain = decide(policies(a_policy()), observed, Memory(), NOW)
    one = decide(replace(policies(a_policy()), brokers=("primary",)), observed, Memory(), NOW)

    assert plain.pools == one.pools
    assert not one.pools[0].lanes
    assert {""} == {a.broker for a in one.actions}


def test_workers_start_for_the_active_broker() -> None:
    """After a failover new workers serve the fallback; the spent primary gets none."""
    decision = decided(look(primary=Health.QUOTA, fallback=3))

    assert {"fallback": 3} == wanted(decision)
    assert ["fallback"] * 3 == starts(decision)


def test_minimum_and_spare_follow_the_active_broker() -> None:
    """`replicas.min` is kept once, where workers are started now."""
    assert {"fallback": 2} == wanted(decided(look(primary=Health.QUOTA), replicas_min=2))


def test_backlog_on_both_sides_keeps_workers_on_both() -> None:
    """Producers have moved back and forth: what waits on either side gets workers there."""
    decision = decided(look(primary=4, fallback=2))

    assert {"fallback": 2, "primary": 4} == wanted(decision)
    assert ["fallback"] * 2 + [""] * 4 == starts(decision)


def test_leftovers_of_the_other_side_get_a_worker() -> None:
    """Workers that died of a refusal left unacknowledged tasks behind: one comes back for them once the broker serves again."""
    decision = decided(look(unacked=2), remembered("primary"))

    assert {"primary": 0, "fallback": 1} == wanted(decision)


def test_a_standing_lane_is_drained_when_its_work_is_done() -> None:
    """Nothing waits there any more, its workers are idle: they leave, and the lane with them."""
    observed = look(*at("primary", 0, 0), *at("fallback", 1), fallback=1)

    decision = decided(observed)

    assert 0 == wanted(decision)["primary"]
    assert {("primary0", ""), ("primary1", "")} == {(a.replica, a.broker) for a in decision.actions if a.kind is ActionKind.DRAIN}


def test_what_cannot_be_seen_is_not_drained() -> None:
    """The broker of these workers does not answer: they are kept, for its silence says nothing about its queue."""
    decision = decided(look(*at("primary", 0, 0), primary=Health.UNREACHABLE, fallback=1))

    assert {"fallback": 1, "primary": 2} == wanted(decision)


def test_names_of_both_lanes_differ() -> None:
    """Starts of one pool for two brokers in one tick never share a name."""
    names = [a.replica for a in decided(look(primary=4, fallback=4)).actions]

    assert len(names) == len(set(names)) == 8


def test_a_broker_taken_out_of_the_file_is_drained() -> None:
    """Workers for a broker that nobody knows any more finish and leave."""
    decision = decided(look(*at("old", 0, 1), *at("fallback", 1)))

    leaving = {a.replica for a in decision.actions if a.kind is ActionKind.DRAIN}
    assert {"old0", "old1"} == leaving
    assert "broker old, which its workers serve, no longer stands in the configuration" in decision.steps[-1].because


def test_a_strange_pool_on_a_strange_broker_is_left_alone() -> None:
    """Containers of a pool that this memory never knew may be somebody else's."""
    observed = look((container("x", pool="other", broker="old"), 0))

    assert {"p"} == {d.pool for d in decide(replace(policies(a_policy()), brokers=BROKERS), observed, remembered(), NOW).pools}


# ---------------------------------------------------------------- refusing


@pytest.mark.parametrize("health", [Health.QUOTA, Health.AUTH, Health.READ_ONLY, Health.LOADING, Health.FULL, Health.CONNECTIONS])
def test_nobody_is_started_for_a_broker_that_refuses(health: Health) -> None:
    """Not even for the minimum, which stays wanted: the worker would die of it at once. The step says what the broker said."""
    observed = look(primary=health, fallback=Health.UNREACHABLE)

    decision = decided(observed, remembered("primary"), replicas_min=2)

    assert 2 == decision.desired
    assert not decision.actions
    assert f"replicas.min is 2, but {SPENT}" == decision.steps[-1].because


def test_work_that_others_see_waits_for_a_broker_that_refuses() -> None:
    """Flower may still tell a depth: the need is shown, and what holds it back."""
    observed = replace(look(primary=Health.QUOTA, fallback=Health.UNREACHABLE), queues={"p": QueueSight("p", reading(5))})

    decision = decided(observed, remembered("primary"))

    assert (0, "BrokerRefuses", SPENT) == (decision.desired, decision.reason, decision.steps[-1].because)


def test_silence_is_no_refusal() -> None:
    """A broker that we cannot reach may be in reach of others: the minimum is kept, as before."""
    decision = decided(look(primary=Health.TIMEOUT, fallback=Health.TIMEOUT), remembered("primary"), replicas_min=2)

    assert 2 == decision.desired


def test_running_workers_are_not_stopped_by_a_refusal() -> None:
    """What runs may finish; only starts wait."""
    decision = decided(look(*at("primary", 1, 1), primary=Health.QUOTA, fallback=Health.UNREACHABLE), remembered("primary"))

    assert 2 == decision.desired
    assert not decision.actions


# ---------------------------------------------------------------- one maximum


@pytest.mark.parametrize(
    ("most", "primary", "fallback", "expected"),
    [
        pytest.param(10, 3, 4, {"fallback": 4, "primary": 3}, id="room for both"),
        pytest.param(10, 20, 20, {"fallback": 5, "primary": 5}, id="equal shares"),
        pytest.param(10, 20, 2, {"fallback": 2, "primary": 8}, id="what one does not need the other has"),
        pytest.param(1, 20, 20, {"fallback": 0, "primary": 1}, id="one place: first what comes to an end"),
    ],
)
def test_lanes_share_the_maximum(most: int, primary: int, fallback: int, expected: dict[str, int]) -> None:
    """`replicas.max` holds for the pool as a whole; the fallback is active."""
    assert expected == wanted(decided(look(primary=primary, fallback=fallback), replicas_max=most))


@pytest.mark.parametrize(
    ("ordered", "least", "primary", "expected"),
    [
        pytest.param(4, 0, 1, {"fallback": 3, "primary": 1}, id="what the other broker needs is among them"),
        pytest.param(4, 0, 20, {"fallback": 2, "primary": 2}, id="equal shares, however much waits there"),
        pytest.param(0, 0, 20, {"fallback": 0, "primary": 0}, id="none is none"),
        pytest.param(0, 2, 20, {"fallback": 1, "primary": 1}, id="but for the minimum"),
        pytest.param(40, 0, 2, {"fallback": 8, "primary": 2}, id="and no more than the maximum"),
    ],
)
def test_a_count_set_by_hand_is_the_pools(ordered: int, least: int, primary: int, expected: dict[str, int]) -> None:
    """Who sets a pool to 4 finds 4 workers, on however many brokers; the step says who set it."""
    order = Order(OrderKind.SCALE, "p", NOW, "anna", replicas=ordered)
    observed = replace(look(primary=primary), orders={"p": (order,)})

    decision = decided(observed, replicas_min=least, replicas_max=10)

    assert expected == wanted(decision)
    assert any(f"over all brokers: set to {ordered} by anna" in step.because for step in decision.steps) == (ordered < 10)


def test_a_lane_in_the_dark_comes_last() -> None:
    """Workers that wait for a dead broker must not keep the pool from working on the other one."""
    decision = decided(look(*at("primary", 0, 0, 0, 0), primary=Health.UNREACHABLE, fallback=20), replicas_max=4)

    assert {"fallback": 4, "primary": 0} == wanted(decision)


def test_the_total_cap_counts_all_lanes() -> None:
    """`max_replicas` is over all pools and all brokers."""
    settings = replace(policies(a_policy(), max_replicas=3), brokers=BROKERS)
    decision = pool_of(decide(settings, look(primary=9, fallback=9), remembered(), NOW))

    assert 3 == decision.desired


# ---------------------------------------------------------------- told as one


def test_told_as_one_pool() -> None:
    """Counts are added up, every step says which broker it is about, and the parts are inside."""
    decision = decided(look(*at("primary", 1), *at("fallback", 1, 1), primary=1, fallback=0))

    assert (3, decision.desired) == (decision.current, sum(wanted(decision).values()))
    assert Known(1, NOW, "test, test") == decision.view.queues[0].waiting
    assert {"primary", "fallback"} == {step.because.partition(":")[0] for step in decision.steps}
    assert ["fallback", ""] == [lane.broker for lane in decision.lanes]


def test_unknown_on_one_side_is_unknown_of_the_pool() -> None:
    """The backlog of the whole is not known while a part of it cannot be seen."""
    decision = decided(look(*at("primary", 1), primary=Health.UNREACHABLE, fallback=5))

    assert not isinstance(decision.view.queues[0].waiting, Known)
    assert "primary: queue p" in decision.view.blind[0]


# ---------------------------------------------------------------- memory


def test_each_lane_remembers_its_own() -> None:
    """A start for one broker is pending there and nowhere else; who is active is remembered."""
    observed = look(primary=1, fallback=1)
    settings = replace(policies(a_policy()), brokers=BROKERS)
    decision = decide(settings, observed, remembered(), NOW)
    outcomes = tuple(Outcome(a, Result.PENDING, NOW) for a in decision.actions)

    after = remember(remembered(), Record(NOW, "hash", observed, decision, outcomes))

    assert {"p": 1, "p@fallback": 1} == {key: len(pool.pending) for key, pool in after.pools.items()}
    assert "fallback" == after.active_broker
    assert 2 == len(after.of_lanes("p"))


def test_a_bad_end_counts_where_it_happened() -> None:
    """A worker of the primary that died does not slow down the fallback's starts."""
    gone = container("primary0", broker="primary", state=ContainerState.EXITED, exit_code=1)
    observed = look((gone, None), primary=Health.QUOTA, fallback=1)
    decision = decide(replace(policies(a_policy()), brokers=BROKERS), observed, remembered(), NOW)
    ended = [a for a in decision.actions if a.kind is ActionKind.REMOVE]
    outcomes = tuple(Outcome(a, Result.DONE, NOW, exit=Exit(1)) for a in ended)

    after = remember(remembered(), Record(NOW, "hash", observed, decision, outcomes))

    assert [""] == [a.broker for a in ended]
    assert 0 == after.of("p@fallback").failures


def test_foresight_asks_the_active_lane() -> None:
    """What would add workers is said of the broker that is in use."""
    observed = look(primary=Health.QUOTA, fallback=0)
    settings = replace(policies(a_policy()), brokers=BROKERS)

    assert 1 == foresee(settings, observed, remembered(), "p").up_at_waiting


def test_asked_twice_it_answers_the_same() -> None:
    """The decision is a function of what it is given."""
    settings, observed = replace(policies(a_policy()), brokers=BROKERS), look(primary=3, fallback=3)
    made: list[Decision] = [decide(settings, observed, remembered(), NOW) for _ in range(2)]

    assert made[0] == made[1]
