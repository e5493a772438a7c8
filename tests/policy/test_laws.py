"""Laws that hold for every decision, whatever is seen and remembered."""

from dataclasses import replace

from anything import a_look, a_memory, a_pool, a_steered_look, counts
from builders import NOW, a_policy, container, policies, pool_of
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.model import ActionKind, OrderKind, Phase, Unknown
from autoscaler.policy.decide import decide


@given(a_pool(), a_steered_look(), a_memory())
@settings(max_examples=300)
def test_bounds_always_hold(policy, look, memory):
    """min <= desired <= max; only who sends a whole pool home wants less."""
    made = pool_of(decide(policies(policy, max_replicas=1000), look, memory, NOW))
    sent_home = any(order.kind is OrderKind.DRAIN and not order.worker for order in made.view.orders)
    assert (0 if sent_home else policy.replicas_min) <= made.desired <= policy.replicas_max


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
    """Raising the backlog lowers neither the recommendation nor the count."""
    queue = look.queues["p"]
    fuller = replace(look, queues={"p": replace(queue, waiting=replace(queue.waiting, value=queue.waiting.value + more))})
    less, greater = (pool_of(decide(policies(policy), x, memory, NOW)) for x in (look, fuller))
    assert greater.recommended >= less.recommended
    assert greater.desired >= less.desired


@given(a_pool(), a_look(), a_memory())
def test_no_start_and_drain_together(policy, look, memory):
    """One pool never starts and drains in the same tick, and acts on nothing twice."""
    actions = pool_of(decide(policies(policy, max_replicas=1000), look, memory, NOW)).actions
    kinds = {a.kind for a in actions}
    assert not {ActionKind.START, ActionKind.DRAIN} <= kinds
    assert len(actions) == len({(a.kind, a.replica) for a in actions})


@given(a_pool(), a_look(), a_memory())
def test_actions_lead_to_the_count(policy, look, memory):
    """Drains are the difference, for replicas that can be told; starts are, too, where no bad end holds them back."""
    made = pool_of(decide(policies(policy, max_replicas=1000), look, memory, NOW))
    kinds = [a.kind for a in made.actions]
    listed = sum(1 for r in made.view.serving if r.container_id)
    assert min(listed, max(0, made.current - made.desired)) == kinds.count(ActionKind.DRAIN)
    missing, started = max(0, made.desired - made.current), kinds.count(ActionKind.START)
    assert started <= missing
    assert started == missing or memory.of("p").failures or made.view.exited or made.view.failed_starts


@given(a_pool(), a_look(), a_memory())
def test_no_busy_replica_leaves_before_an_idle_one(policy, look, memory):
    """Nobody who runs more is told to leave while one who surely runs less may stay."""
    made = pool_of(decide(policies(policy, max_replicas=1000), look, memory, NOW))
    chosen = {a.replica for a in made.actions if a.kind is ActionKind.DRAIN}
    staying = [r.running for r in made.view.serving if r.container_id and r.name not in chosen and r.is_idle]
    leaving = [r.running for r in made.view.serving if r.name in chosen]
    assert not staying or all(running == 0 for running in leaving)


@given(a_pool(), a_look(), a_memory())
def test_nobody_is_killed_before_the_deadline(policy, look, memory):
    """A kill ends a drain that took longer than its timeout, and only where the file says so."""
    since = {d.replica: d.since for d in memory.of("p").drains}
    for action in pool_of(decide(policies(policy), look, memory, NOW)).actions:
        if action.kind is ActionKind.KILL:
            assert policy.kill_on_drain_timeout
            assert NOW - since[action.replica] > policy.drain_timeout_seconds


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


@given(a_pool(), a_steered_look(), a_memory())
def test_strangers_are_left_alone(policy, look, memory):
    """Containers of a pool that this memory never knew are neither touched nor counted."""
    strangers = [container(f"s{i}", pool="somebody", age=9.0) for i in range(3)]
    crowded = replace(look, containers=replace(look.containers, value=(*look.containers.value, *strangers)))
    alone, beside = (decide(policies(policy), x, memory, NOW) for x in (look, crowded))
    assert alone == beside


@given(a_pool(), a_steered_look(), a_memory())
def test_an_unseen_fleet_is_not_touched(policy, look, memory):
    """While the engine does not say who exists nothing is done, whatever else is seen, wanted and ordered."""
    decision = decide(policies(policy), replace(look, containers=Unknown("it did not answer")), memory, NOW)
    assert not decision.actions


@given(a_pool(), a_pool(), a_look(), a_memory())
def test_pools_do_not_depend_on_each_other(one, other, look, memory):
    """Where there is room for all, a pool is decided as if it were alone, wherever it stands in the file."""
    other = replace(other, name="q", queues=("q",))
    both = replace(look, queues={**look.queues, "q": replace(look.queues["p"], queue="q")})
    alone = pool_of(decide(policies(one, max_replicas=1000), look, memory, NOW))
    for order in ((one, other), (other, one)):
        assert alone == pool_of(decide(policies(*order, max_replicas=1000), both, memory, NOW))


@given(a_pool(), a_look(waiting=st.integers(1, 40)), a_memory())
def test_work_wants_at_least_one(policy, look, memory):
    """While anything waits at least one replica is recommended, however it is sized."""
    assert pool_of(decide(policies(policy), look, memory, NOW)).recommended >= 1
