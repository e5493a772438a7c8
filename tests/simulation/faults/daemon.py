"""Faults of the daemon itself, of its clock and of its disk."""

from __future__ import annotations

import random

from ..world import World
from .catalogue import MOMENT, Course, fault


@fault("kill -9 of the daemon", "daemon", weight=4.0, lasts=MOMENT)
def _kill(world: World, dice: random.Random) -> Course:
    if world.life:
        world.life.crash_in = dice.randint(0, 40)
    yield


@fault("kill -9 of the daemon while it acts", "daemon", weight=2.0, lasts=(5.0, 30.0))
def _kill_acting(world: World, dice: random.Random) -> Course:
    world.crash_at_change = dice.randint(0, 3)
    yield
    world.crash_at_change = None


@fault("The daemon is stopped (SIGTERM) and started", "daemon", lasts=MOMENT)
def _sigterm(world: World, dice: random.Random) -> Course:
    if world.life and world.life.daemon:
        world.life.daemon.clock.stop()
    yield


@fault("The daemon stands still (SIGSTOP)", "daemon", weight=0.7, lasts=(5.0, 30.0))
def _sigstop(world: World, dice: random.Random) -> Course:
    life = world.life
    if life:
        life.process.freeze()
    yield
    if life:
        life.process.thaw()
        life.last_wake = world.machine.now


@fault("A second daemon is started", "daemon", lasts=MOMENT)
def _second(world: World, dice: random.Random) -> Course:
    world.boot(again=False)
    yield


def _jump(world: World, seconds: float) -> None:
    """What has a time may end at another one, where no daemon ran to see the jump."""
    world.machine.wall_offset += seconds
    world.orders = [given for given in world.orders if given.until is None]


@fault("The wall clock jumps forward", "daemon", weight=1.0, lasts=MOMENT)
def _jump_forward(world: World, dice: random.Random) -> Course:
    _jump(world, dice.choice([30.0, 3600.0]))
    yield


@fault("The wall clock jumps back", "daemon", weight=1.0, lasts=MOMENT)
def _jump_back(world: World, dice: random.Random) -> Course:
    _jump(world, -dice.choice([30.0, 3600.0]))
    yield


@fault("The disk of the state folder is full", "daemon", weight=0.8)
def _disk_full(world: World, dice: random.Random) -> Course:
    world.disk_full, since = True, world.machine.now
    yield
    world.disk_full = False
    world.journal_trouble.append((since, world.machine.now + 5.0))


@fault("The journal is deleted", "daemon", weight=0.5, lasts=MOMENT)
def _journal_deleted(world: World, dice: random.Random) -> Course:
    for file in (world.folder / "state").glob("journal*"):
        file.unlink()
    world.journal_trouble.append((0.0, world.machine.now + 5.0))
    yield


@fault("The journal is damaged", "daemon", weight=0.5, lasts=MOMENT)
def _journal_damaged(world: World, dice: random.Random) -> Course:
    file = world.folder / "state" / "journal.sqlite3"
    if file.exists():
        file.write_bytes(b"this is not a database " * 200)
    world.journal_trouble.append((0.0, world.machine.now + 5.0))
    yield
