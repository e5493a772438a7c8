"""The cap over all pools."""

from builders import NOW, a_policy, calm, container, fleet, policies, pool_of, seen

from autoscaler.model import ActionKind, Drain, Memory, PoolMemory
from autoscaler.policy.decide import decide
from autoscaler.policy.reasons import Reason


def test_room_is_shared_evenly():
    """Two pools that both want everything get half each."""
    settings = policies(a_policy("a"), a_policy("b"), max_replicas=6)
    made = decide(settings, seen(waiting={"a": 9, "b": 9}), Memory(), NOW)

    assert (3, 3) == (pool_of(made, "a").desired, pool_of(made, "b").desired)
    assert Reason.TOTAL_LIMIT == pool_of(made, "a").reason


def test_minima_come_first():
    """A pool below its minimum is served before anybody's wishes."""
    settings = policies(a_policy("a"), a_policy("b", replicas_min=3), max_replicas=4)
    made = decide(settings, seen(waiting={"a": 9, "b": 0}), Memory(), NOW)

    assert (1, 3) == (pool_of(made, "a").desired, pool_of(made, "b").desired)


def test_running_replicas_are_not_pushed_out_by_wishes():
    """A pool that works keeps what it has; only the room that is left is shared."""
    settings = policies(a_policy("a"), a_policy("b"), max_replicas=4)
    look = seen(waiting={"a": 0, "b": 9}, **fleet(1, 1, 1, pool="a"))
    made = decide(settings, look, Memory(), NOW)

    assert (3, 1) == (pool_of(made, "a").desired, pool_of(made, "b").desired)


def test_lowered_cap_drains_the_largest():
    """When the cap falls below what runs, the pool furthest above its minimum gives way."""
    settings = policies(a_policy("a"), a_policy("b"), max_replicas=3)
    big, small = fleet(1, 1, 1, 1, pool="a"), fleet(1, pool="b")
    look = seen(waiting={"a": 0, "b": 0}, containers=big["containers"] + small["containers"], workers=big["workers"] + small["workers"])
    made = decide(settings, look, Memory(), NOW)

    assert (2, 1) == (pool_of(made, "a").desired, pool_of(made, "b").desired)


def test_no_room_at_all_drains_everybody():
    """A cap of zero sends also the last replica of every pool home."""
    big, small = fleet(1, 1, pool="a"), fleet(0, pool="b")
    look = seen(waiting={"a": 5, "b": 0}, containers=big["containers"] + small["containers"], workers=big["workers"] + small["workers"])
    made = decide(policies(a_policy("a"), a_policy("b"), max_replicas=0), look, Memory(), NOW)

    assert (0, 0) == (pool_of(made, "a").desired, pool_of(made, "b").desired)


def test_draining_replicas_still_take_room():
    """A draining worker uses the host until it has left."""
    settings = policies(a_policy("a"), max_replicas=2)
    look = seen(waiting={"a": 5}, containers=[container("a0", pool="a")])
    memory = Memory({"a": PoolMemory(drains=(Drain("a0", NOW - 5, "x"),))})

    assert pool_of(decide(settings, look, memory, NOW), "a").desired == 1


def test_enough_room_changes_nothing():
    """Below the cap nobody hears of it."""
    look = seen(waiting=2, **fleet(1))
    made = decide(policies(max_replicas=3), look, calm(look), NOW)

    assert all(step.rule != "budget" for step in pool_of(made).steps)


def test_held_replicas_give_way_to_work():
    """What a pool keeps only by its stabilization window is let go when another pool has work for the room."""
    settings = policies(a_policy("a"), a_policy("b"), max_replicas=4)
    look = seen(waiting={"a": 0, "b": 2}, **fleet(0, 0, 0, 1, pool="a"))
    made = decide(settings, look, Memory(), NOW)

    assert (2, 0) == (pool_of(made, "a").desired, pool_of(made, "b").desired)
    assert Reason.TOTAL_LIMIT == pool_of(made, "a").reason


def test_a_blind_pool_gives_nothing_away():
    """Not seeing its backlog, a pool keeps what it has, whoever wants the room."""
    settings = policies(a_policy("a"), a_policy("b"), max_replicas=4)
    look = seen(waiting={"a": None, "b": 2}, **fleet(0, 0, 0, 0, pool="a"))

    assert pool_of(decide(settings, look, Memory(), NOW), "a").desired == 4


def test_room_is_given_once_it_is_free():
    """A pool that shrinks frees its room when its replicas have left, not when they are told to."""
    settings = policies(a_policy("a"), a_policy("b"), max_replicas=3)
    look = seen(waiting={"a": 0, "b": 9}, **fleet(0, 0, 0, pool="a"))
    made = decide(settings, look, calm(look, a_policy("a")), NOW)

    assert (0, 0) == (pool_of(made, "a").desired, pool_of(made, "b").desired)


def test_room_is_given_away_once():
    """What is leaving makes room already: nobody else has to leave for the same lack."""
    settings = policies(a_policy("a"), a_policy("b"), max_replicas=4)
    look = seen(waiting={"a": 0, "b": 2}, **fleet(0, 0, 0, 0, pool="a"))
    leaving = Memory({"a": PoolMemory(drains=(Drain("a0", NOW - 2, "x"), Drain("a1", NOW - 2, "x")))})
    made = decide(settings, look, leaving, NOW)

    assert (2, 0) == (pool_of(made, "a").desired, pool_of(made, "b").desired)
    assert not pool_of(made, "a").actions


def test_failed_starts_still_take_room():
    """A worker that never became ready uses the host until it has left, so no other pool's starts beside it."""
    settings = policies(a_policy("a"), a_policy("b"), max_replicas=1)
    look = seen(waiting={"a": 5, "b": 5}, containers=[container("a0", pool="a", age=100.0)], workers=[])
    memory = Memory({"a": PoolMemory(unheard=(("a0", 90.0),), looked_at=NOW - 2, untouched_since=NOW - 200, depth=(5, 0))})
    made = decide(settings, look, memory, NOW)

    assert pool_of(made, "a").view.failed_starts
    assert [ActionKind.DRAIN] == [action.kind for action in made.actions]


def test_priority_is_served_first():
    """Free room goes to the pool that matters more, all of it, before the others share the rest."""
    settings = policies(a_policy("a"), a_policy("b", priority=1, replicas_max=4), max_replicas=6)
    made = decide(settings, seen(waiting={"a": 9, "b": 9}), Memory(), NOW)

    assert (2, 4) == (pool_of(made, "a").desired, pool_of(made, "b").desired)


def test_a_lowered_cap_spares_what_matters():
    """What has to go is taken from the pool of the lower priority, as far as its minimum."""
    settings = policies(a_policy("a", replicas_min=1), a_policy("b", priority=1), max_replicas=3)
    low, high = fleet(1, 1, 1, pool="a"), fleet(1, 1, 1, pool="b")
    look = seen(waiting={"a": 0, "b": 0}, containers=low["containers"] + high["containers"], workers=low["workers"] + high["workers"])
    made = decide(settings, look, Memory(), NOW)

    assert (1, 2) == (pool_of(made, "a").desired, pool_of(made, "b").desired)
