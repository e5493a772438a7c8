"""Stories of the whole loop: observe, decide, act, remember, over many ticks."""

import random
from dataclasses import replace

from world import World, shrunk

from autoscaler.model import ActionKind, Policies, PoolPolicy, Sizing, TargetWait, Thresholds

P = PoolPolicy("p", ("p",), replicas_min=0, replicas_max=8, slots=2)
Q = PoolPolicy("q", ("q",), replicas_min=0, replicas_max=8, slots=2)


def a_world(*pools: PoolPolicy, **kwargs) -> World:
    """A world with these pools and room for all."""
    return World(Policies("t", 2.0, 20, {p.name: p for p in pools or (P,)}), **kwargs)


def kinds(world: World, kind: ActionKind) -> list[str]:
    """The replicas that this was done to, in order."""
    return [a.replica for a in world.calls if a.kind is kind]


def test_grows_drains_and_returns_to_zero():
    """A burst is met at once, run to the end, and nothing is left behind."""
    world = a_world()
    world.send("p", 40)
    peak = len(world.run(2).alive())
    world.run(60)

    assert (8, 40, 0) == (peak, world.done, len(world.workers))


def test_nobody_is_drained_while_busy():
    """Idle replicas leave first: a busy one was never asked."""
    world = a_world(runtime=20.0)
    world.send("p", 3)
    world.run(10)
    world.send("p", 8)
    world.run(120)

    assert world.done == 11
    drained_busy = [
        r for record in world.records for d in record.decision.pools for a in d.actions if a.kind is ActionKind.DRAIN
        for r in d.view.replicas if r.name == a.replica and r.running
    ]  # fmt: skip
    assert not drained_busy


def test_blind_flower_holds_every_worker():
    """Flower is away for two minutes while workers are busy and then idle: none is stopped."""
    world = a_world(runtime=30.0)
    world.send("p", 6)
    world.run(6)
    before = {w.name for w in world.alive()}
    world.blind_flower = True
    world.run(120)

    assert before == {w.name for w in world.alive()}
    assert not kinds(world, ActionKind.DRAIN)
    world.blind_flower = False
    assert not world.run(60).workers


def test_unseen_fleet_stops_all_acting():
    """While the engine does not answer nothing is started twice and nothing stopped; afterwards it goes on."""
    world = a_world()
    world.send("p", 4)
    world.run(4)
    world.blind_fleet = True
    calls = len(world.calls)
    world.send("p", 20)
    world.run(30)
    assert len(world.calls) == calls
    world.blind_fleet = False

    assert world.run(90).done == world.sent


def test_slow_engine_gets_no_second_order():
    """Starts whose calls take five seconds are not ordered again meanwhile."""
    world = a_world()
    world.slow_engine = True
    world.send("p", 6)
    world.run(10)

    assert len(kinds(world, ActionKind.START)) == 3


def test_refused_starts_are_not_hammered():
    """With an image that is missing the engine is asked ever less often."""
    world = a_world()
    world.refusing_engine = True
    world.send("p", 1)
    world.run(300)

    assert len(kinds(world, ActionKind.START)) <= 7


def test_restart_changes_nothing_for_workers():
    """kill -9 of the daemon while it grows and while it drains: no duplicate, nothing stopped early."""
    world = a_world(runtime=15.0)
    world.send("p", 10)
    for _ in range(12):
        world.run(2)
        world.crash_daemon()
    starts = kinds(world, ActionKind.START)

    assert len(starts) == 5
    assert world.run(60).done == 10
    assert not world.workers


def test_lowered_max_drains_without_loss():
    """Thirty tasks on five workers, then four must go: every task is finished once."""
    world = a_world(P, runtime=20.0)
    world.policies = shrunk(world.policies, "p", replicas_max=5, slots=1)
    world.send("p", 30)
    world.run(10)
    world.policies = shrunk(world.policies, "p", replicas_max=1)
    world.run(30)
    assert len(world.alive()) == 1

    assert world.run(700).done == 30


def test_pools_do_not_disturb_each_other():
    """One pool's refusals and backlog change nothing for the other."""
    world = a_world(P, Q)
    world.send("p", 4)
    world.send("q", 4)
    world.run(60)

    assert world.done == 8
    assert not world.workers


def test_a_removed_pool_is_drained():
    """Edited out of the file, its workers finish and leave."""
    world = a_world(P, Q, runtime=10.0)
    world.send("q", 4)
    world.run(6)
    world.policies = Policies("t", 2.0, 20, {"p": P})
    world.run(40)

    assert not world.workers
    assert world.done == 4


def test_killed_workers_are_replaced():
    """A worker that dies by itself is recorded, removed and replaced while there is work."""
    world = a_world(runtime=10.0)
    world.send("p", 2)
    world.run(6)
    world.kill_worker(world.alive()[0].name)

    assert world.run(60).done == 2
    assert len(kinds(world, ActionKind.START)) == 2


def a_day(sizing: Sizing) -> World:
    """Ten minutes of bursts and lulls over one pool of this sizing."""
    world, chance = a_world(replace(P, sizing=sizing, replicas_max=50), runtime=2.0), random.Random(7)
    for _ in range(120):
        world.send("p", chance.choice([0, 0, 1, 2, 3, 12]))
        world.run(5)
    return world.run(60)


def test_a_target_wait_is_kept_and_costs_less():
    """Every task starts within the target and one look, for fewer worker-seconds than letting none wait."""
    patient, hasty = a_day(TargetWait(10.0)), a_day(Thresholds())

    assert patient.done == patient.sent == hasty.done
    assert max(patient.waits) <= 10.0 + 2.0
    assert patient.worker_seconds < 0.95 * hasty.worker_seconds
    assert not patient.workers


def test_idle_world_makes_no_calls():
    """With nothing to do, nothing is done."""
    assert not a_world().run(60).calls
