"""How a pool follows its orders, and how long they stand."""

from dataclasses import replace

import pytest
from builders import NOW, a_policy, after, an_order, calm, container, decided, fleet, policies, seen, worker

from autoscaler.model import ActionKind, Damping, Decision, Direction, Known, Memory, OrderKind, Phase, PoolMemory, QueueSight, Record
from autoscaler.model.orders import given
from autoscaler.policy.decide import decide
from autoscaler.policy.foresight import foresee
from autoscaler.policy.memory import remember
from autoscaler.policy.reasons import Reason
from autoscaler.policy.steering import standing_after

PAUSE = an_order(OrderKind.PAUSE)
NO_WINDOW = a_policy(scale_down=Damping(stabilization_seconds=0.0))


def steps_of(made) -> list[tuple[str, int]]:
    """Rule and result of every step after the demand."""
    return [(s.rule, s.after) for s in made.steps[1:]]


# ---------------------------------------------------------------- pause


@pytest.mark.parametrize(("direction", "grown", "shrunk"), [(Direction.UP, 2, 0), (Direction.DOWN, 7, 2), (Direction.BOTH, 2, 2)], ids=str)
def test_a_pause_holds_its_direction_only(direction, grown, shrunk):
    """Growth, shrinking, or both stay as they are; the other direction goes on."""
    orders = [replace(PAUSE, direction=direction)]
    more, less = seen(waiting=5, orders=orders, **fleet(1, 1)), seen(waiting=0, orders=orders, **fleet(0, 0))

    assert decided(NO_WINDOW, more).desired == grown
    assert decided(NO_WINDOW, less, calm(less)).desired == shrunk


def test_a_pause_says_who_why_and_how_long():
    """The step is what an operator reads at 3 a.m."""
    order = replace(PAUSE, direction=Direction.UP, until=NOW + 90, why="the database is moved")
    made = decided(a_policy(), seen(waiting=5, orders=[order]))

    assert made.reason == Reason.PAUSED
    assert made.steps[-1].because == "paused (up) by anna, 90 s left: the database is moved"


def test_bounds_hold_in_a_paused_pool():
    """A pool below its minimum or above its maximum is corrected all the same."""
    assert decided(a_policy(replicas_min=2), seen(waiting=0, orders=[PAUSE])).desired == 2
    assert decided(a_policy(replicas_max=1), seen(waiting=0, orders=[PAUSE], **fleet(1, 1))).desired == 1


def test_a_pause_ends_by_itself():
    """At its time, to the second."""
    look = seen(waiting=5, orders=[replace(PAUSE, until=NOW + 60)])

    assert [decided(a_policy(), look, now=at).desired for at in (NOW + 59, NOW + 60)] == [0, 5]


def test_a_paused_pool_gives_its_room_to_nobody():
    """Replicas that are held by hand do not go to another pool's work."""
    containers = (*fleet(0, 0)["containers"], *fleet(1, pool="q")["containers"])
    workers = (*fleet(0, 0)["workers"], *fleet(1, pool="q")["workers"])
    look = seen(waiting={"p": 0, "q": 9}, containers=containers, workers=workers, orders=[replace(PAUSE, direction=Direction.DOWN)])
    made = decide(policies(a_policy("p"), a_policy("q"), max_replicas=3), look, Memory(), NOW)

    assert [p.desired for p in made.pools] == [2, 1]


# ---------------------------------------------------------------- scale and drain


def test_a_count_set_by_hand_needs_no_demand_and_no_damping():
    """Up and down at once, past windows, steps, cooldowns and a pause."""
    slow = Damping(max_step=1, cooldown_seconds=60.0, stabilization_seconds=60.0)
    policy = a_policy(scale_up=slow, scale_down=slow)
    memory = Memory({"p": PoolMemory(recommendations=((NOW - 5, 2),), last_up=NOW - 1, last_down=NOW - 1)})

    for count in (0, 6):
        orders = [PAUSE, an_order(OrderKind.SCALE, replicas=count)]
        assert decided(policy, seen(waiting=1, orders=orders, **fleet(1, 1)), memory).desired == count


def test_bounds_and_the_cap_hold_for_a_count_set_by_hand():
    """Nobody's word goes beyond what the configuration allows."""
    orders = [an_order(OrderKind.SCALE, replicas=50)]

    assert decided(a_policy(replicas_max=8), seen(orders=orders)).desired == 8
    assert decide(policies(max_replicas=3), seen(orders=orders), Memory(), NOW).pools[0].desired == 3


def test_backoff_holds_for_a_count_set_by_hand():
    """Starts that fail are not tried every two seconds, whoever wants them."""
    memory = Memory({"p": PoolMemory(failures=3, backoff_until=NOW + 30)})

    assert decided(a_policy(), seen(orders=[an_order(OrderKind.SCALE, replicas=2)]), memory).desired == 0


def test_a_person_may_drain_blindly():
    """A drain loses nothing, so a person's word counts also where nobody sees what runs; the autoscaler alone would hold."""
    orders = [an_order(OrderKind.SCALE, replicas=1)]
    blind = seen(waiting=None, flower=False, containers=fleet(None, None)["containers"], orders=orders)

    assert decided(a_policy(), blind).desired == 1
    assert decided(a_policy(), replace(blind, orders={})).desired == 2


def test_a_drained_pool_keeps_no_minimum():
    """Somebody wants none to run, as of a broken image; a count set by hand stays within the minimum."""
    drained, scaled = (
        decided(a_policy(replicas_min=2), seen(waiting=9, orders=[order], **fleet(1, 0)))
        for order in (an_order(OrderKind.DRAIN), an_order(OrderKind.SCALE, replicas=0))
    )

    assert (0, Reason.DRAINED_BY_HAND) == (drained.desired, drained.reason)
    assert (2, Reason.TOO_FEW_REPLICAS) == (scaled.desired, scaled.reason)


def test_draining_a_pool_sends_all_home():
    """All workers are drained, none is started, whatever waits."""
    made = decided(a_policy(), seen(waiting=9, orders=[an_order(OrderKind.DRAIN)], **fleet(1, 0)))

    assert (made.desired, made.reason) == (0, Reason.DRAINED_BY_HAND)
    assert [a.kind for a in made.actions] == [ActionKind.DRAIN] * 2


def test_one_worker_is_sent_home_and_replaced():
    """The named one leaves, told why; its place is filled in the same tick, because the work asks for two."""
    orders = [an_order(OrderKind.DRAIN, worker="p0", why="it leaks")]
    made = decided(a_policy(), seen(waiting=1, orders=orders, **fleet(1, 1)))

    assert (made.current, made.desired) == (1, 2)
    assert [(a.kind, a.because) for a in made.actions if a.replica == "p0"] == [(ActionKind.DRAIN, "told to leave by anna: it leaks")]


def test_a_worker_is_sent_home_once():
    """The drain is remembered: the second tick does not order it again, nor does it start a second replacement."""
    look = seen(waiting=0, orders=[an_order(OrderKind.DRAIN, worker="p0")], **fleet(1, 1))
    memory = after(policies(), look, Memory(), NOW)

    assert not decide(policies(), look, memory, NOW + 2).actions


def test_while_the_engine_is_unseen_nothing_is_done_and_nothing_forgotten():
    """The order stands until its worker is really gone."""
    order = an_order(OrderKind.DRAIN, worker="p0")
    look = seen(containers=None, orders=[order])
    decision = decide(policies(), look, Memory(), NOW)

    assert not decision.actions
    assert standing_after(look.orders, Record(NOW, "h", look, decision, ())) == look.orders


# ---------------------------------------------------------------- wake


@pytest.mark.parametrize(("tasks", "started"), [(0, 1), (1, 1), (9, 3), (100, 10)])
def test_a_wake_starts_what_was_sent(tasks, started):
    """Slots for what was sent, at least one replica, within bounds, though nobody sees the queue."""
    look = seen(waiting=None, orders=[an_order(OrderKind.WAKE, tasks=tasks)])
    made = decided(a_policy(slots=4), look)

    assert made.desired == min(10, started)
    assert made.reason == (Reason.WOKEN if tasks < 100 else made.reason)


def test_a_wake_is_settled_by_the_first_real_look():
    """A depth that was asked for after the wake says what is needed; an older one does not."""
    wake = an_order(OrderKind.WAKE, tasks=3)
    for asked, desired in ((NOW - 11, 3), (NOW - 10, 0)):
        look = replace(seen(orders=[wake]), queues={"p": QueueSight("p", Known(0, asked, "flower"))})
        assert decided(a_policy(), look).desired == desired


def test_a_wake_starts_nothing_where_growth_is_held():
    """A producer does not outrank a person."""
    orders = [an_order(OrderKind.WAKE, tasks=3), replace(PAUSE, direction=Direction.UP)]

    assert decided(a_policy(), seen(waiting=None, orders=orders)).desired == 0


# ---------------------------------------------------------------- how long orders stand


def stood(*orders, look=None, at=NOW) -> tuple:
    """What is left of these orders after a tick."""
    look = replace(look or seen(waiting=0), orders={"p": orders})
    decision = decide(policies(), look, Memory(), at)
    return standing_after(look.orders, Record(at, "h", look, decision, ())).get("p", ())


def test_orders_stand_until_they_are_over():
    """By time; a wake by a look; a worker's drain by its end; an order of this very moment was not followed yet."""
    wake, leave = an_order(OrderKind.WAKE), an_order(OrderKind.DRAIN, worker="p0")
    fresh = replace(wake, at=NOW + 1)

    assert stood(PAUSE, replace(PAUSE, until=NOW + 1), replace(PAUSE, until=NOW)) == (PAUSE, replace(PAUSE, until=NOW + 1))
    assert stood(wake, fresh) == (fresh,)
    assert stood(wake, look=seen(waiting=None)) == (wake,)
    assert stood(leave) == ()
    assert stood(leave, look=seen(**fleet(1))) == (leave,)


def test_orders_of_a_pool_that_is_gone_are_forgotten():
    """A pool that comes back under the same name begins anew."""
    look = seen()
    decision = Decision(NOW, ())

    assert standing_after({"gone": (PAUSE,)}, Record(NOW, "h", look, decision, ())) == {}


def test_a_drain_under_way_goes_on_though_its_order_was_lost():
    """Memory, not the order, is what a drain lives from once it has begun."""
    look = seen(orders=[an_order(OrderKind.DRAIN, worker="p0")], **fleet(1))
    memory = after(policies(), look, Memory(), NOW)
    later = decide(policies(), replace(look, orders={}), memory, NOW + 2)

    assert later.pools[0].view.replicas[0].phase is Phase.DRAINING
    assert remember(memory, Record(NOW + 2, "h", look, later, ())).of("p").drains


@pytest.mark.parametrize(
    ("orders", "left"),
    [
        pytest.param([PAUSE, an_order(OrderKind.RESUME)], [], id="resume ends a pause"),
        pytest.param([an_order(OrderKind.SCALE, replicas=3), an_order(OrderKind.RESUME)], [], id="resume ends a count"),
        pytest.param([an_order(OrderKind.SCALE), an_order(OrderKind.DRAIN)], ["drain"], id="the newer count stands"),
        pytest.param([an_order(OrderKind.DRAIN), an_order(OrderKind.SCALE)], ["scale"], id="the newer count stands, too"),
        pytest.param([PAUSE, an_order(OrderKind.SCALE)], ["pause", "scale"], id="a count leaves a pause"),
        pytest.param([PAUSE, PAUSE], ["pause"], id="a pause replaces a pause"),
        pytest.param(
            [an_order(OrderKind.DRAIN, worker="a"), an_order(OrderKind.RESUME)], ["drain"], id="a worker that leaves is not taken back"
        ),
        pytest.param([an_order(OrderKind.DRAIN, worker=w) for w in "aba"], ["drain", "drain"], id="each worker leaves once"),
        pytest.param([an_order(OrderKind.WAKE), an_order(OrderKind.WAKE)], ["wake"], id="wakes coalesce"),
    ],
)
def test_the_newest_word_counts(orders, left):
    """What stands after each of these."""
    standing = ()
    for order in orders:
        standing = given(standing, order)

    assert [str(o.kind) for o in standing] == left


def test_directions_are_held_apart():
    """A pause of one direction replaces only that one."""
    standing = given(given((), PAUSE), replace(PAUSE, direction=Direction.UP, until=NOW + 5))

    assert [(str(o.direction), o.until) for o in standing] == [("down", None), ("up", NOW + 5)]


def test_wakes_keep_the_largest_count():
    """A smaller wake right after a larger one takes nothing back."""
    standing = given((an_order(OrderKind.WAKE, tasks=9),), an_order(OrderKind.WAKE, tasks=2))

    assert standing[0].tasks == 9


# ---------------------------------------------------------------- told


def test_foresight_tells_what_is_held_and_for_how_long():
    """`explain` ends with who holds the pool."""
    look = seen(waiting=0, orders=[replace(PAUSE, until=NOW + 600)], **fleet(0))
    told = foresee(policies(NO_WINDOW), look, calm(look), "p")

    assert told.down_in_seconds == 600.0
    assert told.words() == "down to 0 in 600 s if nothing arrives; paused by anna, 600 s left"


def test_a_container_that_is_not_listed_yet_leaves_when_it_is():
    """An order for a start that is still under way waits for its container."""
    memory = Memory({"p": PoolMemory(pending=(("p0", NOW - 1),))})
    order = an_order(OrderKind.DRAIN, worker="p0")

    assert not [a for a in decided(a_policy(), seen(orders=[order]), memory).actions if a.kind is ActionKind.DRAIN]
    look = seen(orders=[order], containers=[container("p0")], workers=[worker("p0")])
    assert [a.kind for a in decided(a_policy(), look, memory).actions] == [ActionKind.DRAIN]
