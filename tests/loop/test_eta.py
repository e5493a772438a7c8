"""Stories of tasks whose time has not come: they lie in the queue, and wake nobody before it is worth while."""

from world import World

from autoscaler.model import ActionKind, Policies, PoolPolicy

P = PoolPolicy("p", ("p",), replicas_min=0, replicas_max=4, slots=1)


def a_world(**changes) -> World:
    """One pool; a worker takes three seconds to boot, a task five."""
    return World(Policies("t", 2.0, 20, {"p": P}), **changes)


def starts(world: World) -> list[float]:
    """Seconds since the beginning at which workers were started."""
    return [r.at - 1000.0 for r in world.records for o in r.outcomes if o.action.kind is ActionKind.START]


def test_sleeps_until_the_first_is_due():
    """A task for in five minutes: nobody is there until a boot and a look before its time, and it is not late."""
    world = a_world()
    world.send_eta("p", 1, world.now + 300.0)
    world.run(290)
    assert not starts(world)
    world.run(60)

    assert [296.0] == starts(world)
    assert (1, 0) == (world.done, len(world.workers))
    assert max(world.waits) <= 0.1


def test_no_start_and_stop_without_end():
    """A worker that was there takes the tasks and holds them; sent home, it puts them back, and nobody is started for them too soon."""
    world = a_world()
    world.send("p", 1)
    world.run(6)
    world.send_eta("p", 3, world.now + 200.0)
    world.run(30)
    assert 1 == len(world.alive())
    world.alive()[0].draining = True
    world.run(100)
    assert (1, 0) == (len(starts(world)), len(world.alive()))
    world.run(120)

    assert (4, 0) == (world.done, len(world.workers))
    assert max(world.waits) <= 11.0


def test_due_tasks_beside_later_ones():
    """What is due now is work, however much waits for its time beside it."""
    world = a_world()
    world.send_eta("p", 5, world.now + 5000.0)
    world.send("p", 1)
    world.run(20)

    assert 1 == world.done == len(starts(world))
