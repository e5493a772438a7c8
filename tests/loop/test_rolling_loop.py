"""Stories of a changed worker: the pool is rolled, and nobody waits longer for it."""

from world import World, shrunk

from autoscaler.model import ActionKind, Policies, PoolPolicy

P = PoolPolicy("p", ("p",), replicas_min=0, replicas_max=6, slots=1, spec="v1")


def a_busy_world(**changes) -> World:
    """Three workers under a steady load: a task of six seconds every two seconds."""
    world = World(Policies("t", 2.0, 20, {"p": P}), runtime=6.0, **changes)
    return under_load(world, 30)


def under_load(world: World, seconds: float) -> World:
    for _ in range(round(seconds / 2)):
        world.send("p", 1)
        world.run(2)
    return world


def specs(world: World) -> set[str]:
    return {w.spec for w in world.alive()}


def serving(world: World) -> int:
    """Workers that take tasks."""
    return sum(not w.draining and world.now - w.created >= world.boot and not w.hangs for w in world.alive())


def test_a_changed_spec_rolls_the_pool_under_load():
    """In the end all are new; no look saw fewer take tasks than before the roll, none was interrupted, every task ran."""
    world = a_busy_world()
    before, calm_wait = serving(world), max(world.waits[-10:])
    world.policies = shrunk(world.policies, "p", spec="v2")
    fewest = min(serving(under_load(world, 2)) for _ in range(60))

    assert {"v2"} == specs(world)
    assert fewest >= before - 1  # the look in which an old one was told to leave and its task still runs
    assert max(world.waits[-60:]) <= calm_wait + 2.0
    assert not [a for a in world.calls if a.kind is ActionKind.KILL]
    assert world.run(60).done == world.sent


def test_a_roll_goes_on_after_a_restart():
    """kill -9 of the daemon in the middle: the next one finds old and new workers and finishes."""
    world = a_busy_world()
    world.policies = shrunk(world.policies, "p", spec="v2")
    for _ in range(8):
        under_load(world, 10)
        world.crash_daemon()
    under_load(world, 60)

    assert {"v2"} == specs(world)


def test_a_bad_new_version_leaves_the_old_one_working():
    """Every new worker hangs: the old ones serve on, and few starts are tried."""
    world = a_busy_world()
    world.policies, world.next_hang = shrunk(world.policies, "p", spec="v2"), 1000
    starts = len(world.calls)
    under_load(world, 300)

    assert sum(w.spec == "v1" and not w.hangs for w in world.alive()) >= 3
    assert len([a for a in world.calls[starts:] if a.kind is ActionKind.START]) <= 8
    assert max(world.waits[-20:]) <= 4.0


def test_a_pool_of_one_is_replaced_in_place():
    """At max 1 the old worker finishes its task while the new one boots."""
    world = World(Policies("t", 2.0, 20, {"p": P}), runtime=6.0)
    world.policies = shrunk(world.policies, "p", replicas_max=1)
    under_load(world, 20)
    world.policies = shrunk(world.policies, "p", spec="v2")
    under_load(world, 40)

    assert {"v2"} == specs(world)
    assert world.run(400).done == world.sent
