"""Laws that hold for every decision, whatever is seen and remembered."""

from dataclasses import replace

from builders import NOW, a_policy, after, an_order, calm, container, policies, pool_of, seen, worker
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.model import (
    ActionKind,
    BacklogPerReplica,
    Damping,
    Direction,
    Drain,
    Flow,
    Memory,
    OrderKind,
    Phase,
    PoolMemory,
    TargetWait,
    Thresholds,
)
from autoscaler.policy.decide import decide

counts = st.integers(0, 40)
maybe = st.none() | st.integers(0, 6)
maybe_counts = st.none() | counts
dampings = st.builds(
    Damping,
    max_step=st.none() | st.integers(1, 5),
    max_step_percent=st.none() | st.floats(1, 200),
    cooldown_seconds=st.sampled_from([0.0, 30.0]),
    stabilization_seconds=st.sampled_from([None, 0.0, 60.0]),
)


sizings = st.one_of(
    st.builds(Thresholds, st.integers(0, 10), st.just(15.0), st.integers(0, 5)),
    st.builds(TargetWait, st.floats(0, 60)),
    st.builds(BacklogPerReplica, st.floats(0.5, 20)),
)


@st.composite
def a_flow(draw):
    """Any measured past, or none."""
    looks = draw(st.lists(st.tuples(st.floats(0.1, 90), st.integers(0, 50)), max_size=6))
    times, arrived = sorted((NOW - ago for ago, _ in looks)), sorted(n for _, n in looks)
    return Flow(
        at=draw(st.none() | st.just(NOW - 2.0)),
        started=draw(st.integers(0, arrived[-1] if arrived else 0)),
        busy_seconds=draw(st.floats(0, 1000)),
        done=draw(st.floats(0, 1000)),
        arrivals=tuple(zip(times, arrived, strict=True)),
        arrival_rate=draw(st.floats(0, 5)),
    )


@st.composite
def a_pool(draw):
    """A policy with any bounds, sizing and damping."""
    low = draw(st.integers(0, 5))
    return a_policy(
        replicas_min=low,
        replicas_max=low + draw(st.integers(0, 20)),
        slots=draw(st.integers(1, 8)),
        sizing=draw(sizings),
        spare=draw(st.integers(0, 2)),
        scale_up=draw(dampings),
        scale_down=draw(dampings),
        kill_on_drain_timeout=draw(st.booleans()),
    )


@st.composite
def a_look(draw, waiting=maybe_counts):
    """Any backlog, containers of any age, voices that say anything or nothing."""
    names = [f"w{i}" for i in range(draw(st.integers(0, 12)))]
    containers = [container(n, age=draw(st.floats(0, 500))) for n in names]
    voices = [worker(n, draw(maybe), reserved=draw(st.integers(0, 3)), online=draw(st.sampled_from([True, False, None]))) for n in names]
    return seen(waiting=draw(waiting), unacked=draw(maybe), containers=containers, workers=voices, flower=draw(st.booleans()))


@st.composite
def a_steered_look(draw):
    """The same, with any standing orders."""
    kinds = st.sampled_from([kind for kind in OrderKind if kind not in (OrderKind.RESUME, OrderKind.RELOAD)])
    orders = st.builds(
        an_order,
        kinds,
        until=st.sampled_from([None, NOW - 1, NOW + 60]),
        direction=st.sampled_from(Direction),
        replicas=counts,
        worker=st.sampled_from(["", "w0", "w1", "gone"]),
        tasks=counts,
    )
    return replace(draw(a_look()), orders={"p": tuple(draw(st.lists(orders, max_size=4)))})


@st.composite
def a_memory(draw):
    """Any window, cooldown, drains and backoff."""
    window = tuple((NOW - ago, n) for ago, n in draw(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 20)), max_size=5)))
    return Memory(
        {
            "p": PoolMemory(
                recommendations=window,
                last_up=draw(st.none() | st.floats(NOW - 100, NOW)),
                last_down=draw(st.none() | st.floats(NOW - 100, NOW)),
                drains=tuple(Drain(f"w{i}", NOW - draw(st.floats(0, 4000)), "x") for i in draw(st.sets(st.integers(0, 12), max_size=4))),
                ready=tuple(f"w{i}" for i in draw(st.sets(st.integers(0, 12)))),
                flow=draw(a_flow()),
                backoff_until=draw(st.sampled_from([0.0, NOW + 30])),
            )
        }
    )


@given(a_pool(), a_steered_look(), a_memory())
@settings(max_examples=300)
def test_bounds_always_hold(policy, look, memory):
    """min <= desired <= max."""
    made = pool_of(decide(policies(policy, max_replicas=1000), look, memory, NOW))
    assert policy.replicas_min <= made.desired <= policy.replicas_max


@given(a_pool(), a_steered_look(), a_memory(), st.integers(0, 15))
def test_total_cap_always_holds(policy, look, memory, cap):
    """Never more desired than `max_replicas` over all pools."""
    made = decide(policies(policy, replace(a_policy("other"), queues=("p",)), max_replicas=cap), look, memory, NOW)
    assert sum(p.desired for p in made.pools) <= cap


@given(a_pool(), a_steered_look(), a_memory())
def test_asking_changes_nothing(policy, look, memory):
    """The same question has the same answer."""
    assert decide(policies(policy), look, memory, NOW) == decide(policies(policy), look, memory, NOW)


@given(a_pool(), a_look(waiting=st.none()), a_memory())
def test_blind_never_drains_within_bounds(policy, look, memory):
    """Not seeing the backlog never costs a replica, but for an excess over max."""
    made = pool_of(decide(policies(policy, max_replicas=1000), look, memory, NOW))
    assert made.desired >= min(made.current, policy.replicas_max)


@given(a_pool(), a_look(waiting=counts), a_memory(), st.integers(1, 20))
def test_more_backlog_never_wants_less(policy, look, memory, more):
    """Raising the backlog never lowers the recommendation."""
    queue = look.queues["p"]
    fuller = replace(look, queues={"p": replace(queue, waiting=replace(queue.waiting, value=queue.waiting.value + more))})
    less, greater = (pool_of(decide(policies(policy), x, memory, NOW)).recommended for x in (look, fuller))
    assert greater >= less


@given(a_pool(), a_look(), a_memory())
def test_no_start_and_drain_together(policy, look, memory):
    """One pool never starts and drains in the same tick, and acts on nothing twice."""
    actions = pool_of(decide(policies(policy, max_replicas=1000), look, memory, NOW)).actions
    kinds = {a.kind for a in actions}
    assert not {ActionKind.START, ActionKind.DRAIN} <= kinds
    assert len(actions) == len({(a.kind, a.replica) for a in actions})


@given(a_pool(), a_look(), a_memory())
def test_actions_lead_to_the_count(policy, look, memory):
    """Starts and drains are exactly the difference, for replicas that can be told to leave."""
    made = pool_of(decide(policies(policy, max_replicas=1000), look, memory, NOW))
    change = sum({ActionKind.START: 1, ActionKind.DRAIN: -1}.get(a.kind, 0) for a in made.actions)
    assert change == made.desired - made.current


@given(a_pool(), a_steered_look(), a_memory())
def test_only_known_replicas_are_touched(policy, look, memory):
    """Drains and kills name containers of the list; a kill names one that was already draining."""
    made = pool_of(decide(policies(policy), look, memory, NOW))
    draining = {r.name for r in made.view.of(Phase.DRAINING)}
    for action in made.actions:
        if action.kind is ActionKind.KILL:
            assert action.replica in draining
        if action.kind in (ActionKind.DRAIN, ActionKind.KILL):
            assert action.container_id in {c.id for c in look.containers.value}


@given(a_pool(), counts)
def test_constant_load_reaches_a_fixed_point(policy, waiting):
    """With nothing changing, a second and third tick do nothing."""
    policy = replace(policy, scale_up=Damping(stabilization_seconds=0.0), scale_down=Damping(stabilization_seconds=0.0))
    settings_ = policies(policy, max_replicas=1000)
    memory = after(settings_, seen(waiting=waiting), Memory(), NOW)
    look = seen(waiting=waiting, now=NOW + 2)
    assert not decide(settings_, look, memory, NOW + 2).actions


@given(st.lists(st.integers(0, 30), min_size=1, max_size=80))
def test_window_equals_a_naive_one(history):
    """The thinned window gives the same highest and lowest recommendation as remembering everything."""
    policy = a_policy(replicas_max=50, scale_down=Damping(stabilization_seconds=20.0))
    settings_, memory = policies(policy), calm(seen(waiting=0), policy)
    recommended = []
    for i, waiting in enumerate(history):
        now = NOW + 2 * i
        look = seen(waiting=waiting, now=now)
        recommended.append((now, pool_of(decide(settings_, look, memory, now)).recommended))
        memory = after(settings_, look, memory, now)
    since = recommended[-1][0] - 20.0
    naive = [n for at, n in recommended if at > since]
    kept = [n for at, n in memory.of("p").recommendations if at > since]
    assert (max(naive), min(naive)) == (max(kept), min(kept))
    assert len(memory.of("p").recommendations) <= 2 * 31
