"""Faults of Flower, of the broker and of the engine."""

from __future__ import annotations

import random

from ..broker import Health
from ..world import World
from .catalogue import MOMENT, Course, fault, meddled

# ---------------------------------------------------------------- Flower


def _flower(name: str, weight: float = 0.5, **trouble: object) -> None:
    @fault(name, "Flower", weight=weight)
    def _(world: World, dice: random.Random) -> Course:
        for _ in meddled(world.flower.trouble, trouble):
            world.flower.listen_to_all()
            yield
        world.flower.listen_to_all()


_flower("Flower refuses connections", 1.5, down=True)
_flower("Flower hangs", 1.0, hangs=True)
_flower("Flower is slow", latency=1.5)
_flower("Flower's queue lengths hang", hangs=True, pages=("/api/queues/length",))
_flower("Flower answers with a login page", garbage=b"<html>Sign in</html>")
_flower("Flower answers with JSON of another shape", garbage=b"[1, 2]")
_flower("Flower refuses its API (401)", status=401)
_flower("Flower asks to be left alone (429)", status=429, retry_after=10.0)
_flower("Flower redirects", status=302)
_flower("Flower lacks its pages (404)", status=404)
_flower("Flower answers 500", status=500)
_flower("Flower answers with empty lists", 1.0, empty=True)
_flower("Flower repeats old pages", 1.5, stale=True)
_flower("Flower calls every queue empty", 1.0, zeroes=True)
_flower("Flower gives absurd queue lengths", nonsense=10**12)
_flower("Flower gives huge queue lengths", nonsense=5000)
_flower("Flower gives negative queue lengths", nonsense=-3)
_flower("Flower omits every other worker", 1.0, missing=True)
_flower("Flower hears no events", 1.0, deaf=True)


@fault("Flower restarts and forgets", "Flower", lasts=MOMENT)
def _flower_restarts(world: World, dice: random.Random) -> Course:
    world.flower.restart()
    yield


# ---------------------------------------------------------------- broker


def _broker(name: str, health: Health, weight: float = 0.7) -> None:
    @fault(name, "broker", weight=weight)
    def _(world: World, dice: random.Random) -> Course:
        world.set_health(health)
        yield
        world.set_health(Health.UP)


_broker("The broker refuses connections", Health.DOWN)
_broker("The broker is frozen", Health.FROZEN)
_broker("The broker's quota is used up", Health.QUOTA)
_broker("The broker has lost its primary", Health.READONLY, 0.4)


@fault("The other broker refuses connections", "broker", weight=0.7)
def _other_down(world: World, dice: random.Random) -> Course:
    others = [broker for broker in world.brokers.values() if broker is not world.broker]
    for broker in others:
        world.set_health(Health.DOWN, broker)
    yield
    for broker in others:
        world.set_health(Health.UP, broker)


@fault("The broker is slow", "broker", weight=0.5)
def _broker_slow(world: World, dice: random.Random) -> Course:
    world.broker.latency = dice.uniform(0.5, 3.0)
    yield
    world.broker.latency = 0.0


@fault("Flower and the broker cannot be reached", "broker", weight=1.0)
def _network_cut(world: World, dice: random.Random) -> Course:
    world.flower.trouble.down = True
    world.set_health(Health.DOWN)
    yield
    world.flower.trouble.down = False
    world.set_health(Health.UP)


# ---------------------------------------------------------------- engine


def _engine(name: str, weight: float = 0.6, **trouble: object) -> None:
    @fault(name, "engine", weight=weight)
    def _(world: World, dice: random.Random) -> Course:
        return meddled(world.docker.trouble, trouble)


_engine("The engine refuses connections", down=True)
_engine("The engine hangs", hangs=True)
_engine("The engine drips its answers", 0.4, hangs=True, stuck=45.0)
_engine("The engine is slow", latency=1.2)
_engine("The engine lists late", list_latency=2.5)
_engine("The engine does not list (500)", refuses={"list": (500, "server error")})
_engine("The engine answers for a proxy (403)", 0.3, refuses={"list": (403, "forbidden"), "create": (403, "forbidden")})
_engine("The engine acts, and its answers are lost", 1.0, late=0.5)
_engine("The engine acts late, and its answers are lost", 1.0, late=15.0)
_engine("Changes hang at the engine, and happen late", 0.6, late=20.0, stuck=45.0)
_engine("The image is missing", refuses={"create": (404, "No such image: app:1"), "pull": (404, "pull access denied")})
_engine("The disk is full", refuses={"create": (500, "no space left on device")})
_engine("Containers cannot be started", 0.8, refuses={"start": (500, "OCI runtime create failed")})
_engine("Containers can neither be started nor removed", 0.5, refuses={"start": (500, "OCI runtime"), "remove": (500, "busy")})
_engine("Signals are refused", refuses={"stop": (500, "cannot signal")})
_engine("Containers cannot be removed", 0.4, refuses={"remove": (500, "device or resource busy")})
_engine("The engine lists everybody's containers", 0.8, lists_everything=True)


@fault("The image is built anew", "engine", lasts=MOMENT)
def _image_moved(world: World, dice: random.Random) -> Course:
    for box in world.ours():
        box.moved = True
    yield


@fault("A name is taken by somebody else", "engine", lasts=(10.0, 40.0))
def _name_taken(world: World, dice: random.Random) -> Course:
    world.docker.trouble.name_taken = True
    yield
    world.docker.trouble.name_taken = False


@fault("The engine restarts and ends all containers", "engine", weight=0.4, lasts=(1.0, 8.0))
def _dockerd_restarts(world: World, dice: random.Random) -> Course:
    world.docker.trouble.down = True
    for worker in list(world.workers()):
        worker.sigkill("the engine restarted")
    yield
    world.docker.trouble.down = False
