"""Faults of workers, and whoever else is on the host."""

from __future__ import annotations

import random

from ..story import INSTANCE
from ..world import World
from .catalogue import MOMENT, Course, fault, meddled


def _some(world: World, dice: random.Random) -> list:
    workers = [box.worker for box in world.ours() if box.worker and box.worker.alive]
    return dice.sample(workers, min(len(workers), dice.choice([1, 1, 2, 99])))


@fault("Workers crash", "workers", weight=1.5, lasts=MOMENT)
def _crash(world: World, dice: random.Random) -> Course:
    for worker in _some(world, dice):
        worker.crash("its worker crashed")
    yield


@fault("Workers run out of memory", "workers", lasts=MOMENT)
def _oom(world: World, dice: random.Random) -> Course:
    for worker in _some(world, dice):
        worker.sigkill("its worker ran out of memory", oom=True)
    yield


@fault("All workers die with the last tasks in hand", "workers", lasts=(30.0, 90.0))
def _last_hands(world: World, dice: random.Random) -> Course:
    last_arrival = max((arrival.at for arrival in world.story.arrivals), default=0.0)
    watching = [True]

    def watch() -> None:
        waiting = [line for broker in world.brokers.values() for line in broker.lists.values() if line]
        all_taken = any(worker.holds for worker in world.workers()) and not waiting
        if all_taken and world.machine.now > last_arrival:
            for worker in list(world.workers()):
                worker.crash("its worker died with the last tasks in hand")
        elif watching:
            world.machine.later(0.5, watch)

    watch()
    yield
    watching.clear()


@fault("Workers hang", "workers")
def _hang(world: World, dice: random.Random) -> Course:
    hung = _some(world, dice)
    for worker in hung:
        worker.hang()
    yield
    for worker in hung:
        worker.wake()


@fault("Somebody else removes workers", "workers", lasts=MOMENT)
def _removed(world: World, dice: random.Random) -> Course:
    boxes = world.ours()
    for box in dice.sample(boxes, min(len(boxes), 2)):
        world.docker.drop(box, "somebody else removed its worker")
    yield


@fault("Somebody else stops workers", "workers", lasts=MOMENT, weight=0.7)
def _stopped(world: World, dice: random.Random) -> Course:
    for worker in _some(world, dice):
        worker.sigterm()
    yield


def _cursed(name: str, weight: float = 0.8, **curse: object) -> None:
    @fault(name, "workers", weight=weight)
    def _(world: World, dice: random.Random) -> Course:
        return meddled(world.curse, curse)


_cursed("Workers die while they start", dies_at_boot=True)
_cursed("Workers never become ready", never_ready=True)
_cursed("Workers swallow SIGTERM", swallows_sigterm=True)
_cursed("Workers start slowly", slow=30.0)


@fault("Others' containers are on the host", "workers", lasts=MOMENT)
def _neighbours(world: World, dice: random.Random) -> Course:
    queue = dice.choice(world.story.queues)
    env = {"CELERY_QUEUES": queue, "CELERY_AUTOSCALE": "1"}
    labels = [{}, {"com.docker.compose.project": "neighbour"}, {"autoscaler.instance": f"{INSTANCE}-2", "autoscaler.pool": queue}]
    for number, label in enumerate(labels):
        box = world.docker.add(f"neighbour-{dice.randint(0, 9999)}-{number}", label, env=env)
        world.docker.begin(box)
    yield
