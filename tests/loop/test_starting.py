"""Stories of workers that never come to work, and of workers that only nobody hears."""

from dataclasses import replace

from world import World

from autoscaler.model import ActionKind, Health, Policies, PoolPolicy
from autoscaler.policy.reasons import Reason

SINGLE = PoolPolicy("p", ("p",), replicas_min=0, replicas_max=1, slots=2)


def a_world(pool: PoolPolicy = SINGLE, **changes) -> World:
    """One pool whose tasks take five seconds."""
    return World(Policies("t", 2.0, 20, {"p": pool}), **changes)


def drained(world: World) -> list[str]:
    """Who was told to leave, in order."""
    return [a.replica for a in world.calls if a.kind is ActionKind.DRAIN]


def test_a_hung_start_does_not_block_the_pool():
    """At max 1 the only place was held for ever; now the hung one leaves after its timeout and the next does the work."""
    world = a_world()
    world.next_hang = 1
    world.send("p", 4)
    world.run(120)

    assert (4, 0) == (world.done, len(world.workers))
    assert len([a for a in world.calls if a.kind is ActionKind.KILL]) == 0


def test_hung_starts_are_tried_ever_less_often():
    """An image that always hangs is started a few times in ten minutes, never two at once."""
    world = a_world()
    world.next_hang = 1000
    world.send("p", 1)
    world.run(600)

    starts = [a for a in world.calls if a.kind is ActionKind.START]
    assert 3 <= len(starts) <= 7
    assert max(len(d.view.replicas) for r in world.records for d in r.decision.pools) == 1


def test_a_broker_without_quota_is_no_crash_loop():
    """All workers die at once with the broker's words: few starts are tried, none counts as a crash, and work goes on once it serves."""
    world = a_world(replace(SINGLE, replicas_max=4), runtime=20.0)
    world.send("p", 8)
    world.run(8)
    world.broker_says = "redis.exceptions.ResponseError: max requests limit exceeded. Limit: 500000, Usage: 500000."
    world.run(300)
    starts = len([a for a in world.calls if a.kind is ActionKind.START])
    reasons = {d.reason for r in world.records for d in r.decision.pools}

    assert Reason.BROKER_FAULT in reasons
    assert (0, Health.QUOTA) == (world.memory.of("p").failures, world.memory.of("p").broker_fault.health)
    assert starts <= 4 + 6
    world.broker_says = ""
    world.run(200)
    assert 8 == world.done


def test_a_worker_that_nobody_hears_is_left_alone():
    """Started without events and without a page of its own it works unheard: it is never taken for a failed start."""
    world = a_world()
    world.mute = True
    world.send("p", 2)
    for _ in range(20):
        world.run(10)
        world.send("p", 1)

    assert not drained(world)
    assert world.done == 2 + 19


def test_flower_away_during_a_start_judges_nobody():
    """Flower is down for five minutes while a worker boots: nothing proves that it hangs."""
    world = a_world()
    world.send("p", 1)
    world.run(2)
    world.blind_flower = True
    world.run(300)
    world.blind_flower = False
    world.run(8)

    assert not drained(world)
