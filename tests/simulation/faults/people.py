"""Orders of people and producers, and daemons beside the one that is in charge."""

from __future__ import annotations

import random

from autoscaler.model import Direction, OrderKind

from ..world import World
from .catalogue import MOMENT, Course, fault


def _pool(world: World, dice: random.Random) -> str:
    return dice.choice(sorted(world.config["pools"]))


def _time(dice: random.Random) -> float | None:
    """Half of all orders end by themselves."""
    return dice.uniform(3.0, 20.0) if dice.random() < 0.5 else None


@fault("A pool is paused", "people", weight=1.2)
def _pause(world: World, dice: random.Random) -> Course:
    pool = _pool(world, dice)
    world.order(OrderKind.PAUSE, pool, seconds=_time(dice), direction=dice.choice(list(Direction)))
    yield
    world.order(OrderKind.RESUME, pool)


@fault("A pool is set by hand", "people", weight=1.5)
def _scale(world: World, dice: random.Random) -> Course:
    pool = _pool(world, dice)
    world.order(OrderKind.SCALE, pool, seconds=_time(dice), replicas=dice.randint(0, 5))
    yield
    world.order(OrderKind.RESUME, pool)


@fault("A pool is sent home", "people", weight=0.8)
def _drain(world: World, dice: random.Random) -> Course:
    pool = _pool(world, dice)
    world.order(OrderKind.DRAIN, pool, seconds=_time(dice))
    yield
    world.order(OrderKind.RESUME, pool)


@fault("A worker is sent home", "people", weight=0.8, lasts=MOMENT)
def _drain_one(world: World, dice: random.Random) -> Course:
    boxes = world.ours()
    if boxes:
        box = dice.choice(boxes)
        world.order(OrderKind.DRAIN, box.labels["autoscaler.pool"], worker=box.name)
    yield


@fault("A producer wakes a pool for nothing", "people", weight=0.5, lasts=MOMENT)
def _wake(world: World, dice: random.Random) -> Course:
    world.order(OrderKind.WAKE, _pool(world, dice), tasks=dice.randint(0, 9))
    yield


@fault("A second daemon stands by", "daemon", weight=1.5, lasts=MOMENT)
def _standby(world: World, dice: random.Random) -> Course:
    world.boot(again=False, standby=True)
    yield


@fault("A second daemon has a state folder of its own", "daemon", weight=0.8, lasts=(10.0, 40.0))
def _rival(world: World, dice: random.Random) -> Course:
    """Both by mistake: they tick in step, so that each decides before it sees what the other one does."""
    first, rivals = world.life, []
    since = world.machine.now - first.tick_began if first and first.daemon else 0.0
    interval = first.daemon.settings.interval if first and first.daemon else 1.0
    world.machine.later(interval - since % interval, lambda: rivals.append(world.boot(again=False, state="state-2")))
    yield
    for life in rivals:
        if life.daemon and not life.ended:
            life.daemon.clock.stop()
