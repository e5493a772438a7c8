"""The table of phases is what really happens to replicas over a stormy hour."""

import random
from itertools import pairwise

from world import World, shrunk

from autoscaler.model import Phase, Policies, PoolPolicy
from autoscaler.model.lifecycle import TABLE
from autoscaler.policy.memory import resume


def phases(world: World) -> list[tuple[Phase | None, Phase | None]]:
    """Every change of phase that was seen: between two looks a replica may pass through several."""
    looks: list[dict[str, Phase]] = []
    for record in world.records:
        views = [d.view for d in record.decision.pools if d.view.fleet_seen]
        if views:
            looks.append({r.name: r.phase for v in views for r in v.replicas} | {c.name: Phase.STOPPING for v in views for c in v.exited})
    changes = [(a.get(name), b.get(name)) for a, b in pairwise(looks) for name in {*a, *b}]
    return [(before, then) for before, then in changes if before is not then]


def reachable() -> set[tuple[Phase | None, Phase | None]]:
    """What the table allows within one interval: one row, or several in a row that a look may miss."""
    steps: dict[Phase | None, set[Phase | None]] = {}
    for (phase, _), then in TABLE.items():
        steps.setdefault(phase, set()).add(then)
    found = {(a, b) for a, after in steps.items() for b in after}
    while more := {(a, c) for a, b in found if b for c in steps.get(b, ())} - found:
        found |= more
    return found


def test_nothing_happens_that_the_table_does_not_allow():
    """Bursts, hung starts, deaf sources, killed workers, lowered bounds, restarts: every change of phase is a way through the table."""
    world = World(Policies("t", 2.0, 20, {"p": PoolPolicy("p", ("p",), 0, 6, slots=2)}), runtime=8.0)
    chance = random.Random(4)
    for _ in range(180):
        world.send("p", chance.choice([0, 0, 0, 1, 4, 9]))
        world.blind_flower, world.mute = chance.random() < 0.1, chance.random() < 0.05
        world.blind_fleet, world.slow_engine = chance.random() < 0.05, chance.random() < 0.1
        world.next_hang = chance.random() < 0.1
        if chance.random() < 0.05:
            world.memory = resume(world.memory)
        if chance.random() < 0.05 and (alive := world.alive()):
            world.kill_worker(chance.choice(alive).name)
        world.run(6)
        world.policies = shrunk(world.policies, "p", replicas_max=chance.choice([2, 6]))
        world.run(14)

    seen = set(phases(world))
    assert seen <= reachable()
    assert {(None, Phase.STARTING), (Phase.STARTING, Phase.READY), (Phase.READY, Phase.DRAINING), (Phase.STOPPING, None)} <= seen
    assert any(then is Phase.LOST for _, then in seen)
