"""Edits of the configuration, and files that are no configuration."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from ..world import World
from .catalogue import Course, fault


def _edited(name: str, edit: Callable[[World, random.Random], Callable[[], None] | None], *, weight: float = 0.6) -> None:
    @fault(name, "configuration", weight=weight, lasts=(10.0, 60.0))
    def _(world: World, dice: random.Random) -> Course:
        undo = edit(world, dice)
        world.write_config(in_place=dice.random() < 0.3)
        yield
        if undo:
            undo()
            world.write_config()


def _a_pool(world: World, dice: random.Random) -> dict:
    return world.config["pools"][dice.choice(sorted(world.config["pools"]))]


def _lower_max(world: World, dice: random.Random) -> None:
    replicas = _a_pool(world, dice)["replicas"]
    replicas["max"] = dice.randint(max(1, replicas["min"]), replicas["max"])


def _raise_max(world: World, dice: random.Random) -> None:
    _a_pool(world, dice)["replicas"]["max"] += 2


def _lower_cap(world: World, dice: random.Random) -> Callable[[], None]:
    before = world.config["max_replicas"]
    least = sum(pool["replicas"]["min"] for pool in world.config["pools"].values())
    world.config["max_replicas"] = dice.randint(max(1, least), max(least, 4))
    return lambda: world.config.update(max_replicas=before)


def _raise_min(world: World, dice: random.Random) -> Callable[[], None]:
    replicas = _a_pool(world, dice)["replicas"]
    others = sum(pool["replicas"]["min"] for pool in world.config["pools"].values()) - replicas["min"]
    before = replicas["min"]
    replicas["min"] = max(before, min(replicas["max"], world.config["max_replicas"] - others))
    return lambda: replicas.update(min=before)


def _other_image(world: World, dice: random.Random) -> None:
    _a_pool(world, dice)["worker"]["image"] = "app:2"


def _other_interval(world: World, dice: random.Random) -> None:
    world.config["interval"] = f"{dice.choice([1, 2, 4])}s"


def _dry_run(world: World, dice: random.Random) -> Callable[[], None]:
    world.config["dry_run"] = True
    return lambda: world.config.pop("dry_run", None)


def _pool_removed(world: World, dice: random.Random) -> Callable[[], None] | None:
    pools = world.config["pools"]
    if len(pools) < 2:
        return None
    name = dice.choice(sorted(pools))
    pool = pools.pop(name)

    def back() -> None:
        pools[name] = pool
        pool["replicas"]["min"] = 0  # there may be no room for it any more

    return back


def _queue_moved(world: World, dice: random.Random) -> None:
    """The first pool's last queue goes to the last pool."""
    first, *_, last = [*world.config["pools"].values(), *world.config["pools"].values()]
    if first is not last and len(first["queues"]) > 1:
        last["queues"] = [*last["queues"], first["queues"].pop()]
        for pool in (first, last):
            pool["worker"]["environment"]["CELERY_QUEUES"] = ",".join(pool["queues"])


_edited("replicas.max is lowered", _lower_max, weight=1.2)
_edited("replicas.max is raised", _raise_max)
_edited("max_replicas is lowered", _lower_cap)
_edited("replicas.min is raised", _raise_min)
_edited("The worker's image is changed", _other_image)
_edited("The interval is changed", _other_interval)
_edited("dry_run is turned on", _dry_run, weight=1.0)
_edited("A pool is removed", _pool_removed, weight=1.2)
_edited("A queue moves to another pool", _queue_moved)


@fault("The configuration is half written", "configuration", lasts=(1.0, 20.0))
def _half_written(world: World, dice: random.Random) -> Course:
    text = json.dumps(world.config)
    world.write_config(text[: dice.randint(0, len(text) - 1)], in_place=True)
    yield
    world.write_config()


@fault("The configuration is deleted", "configuration", lasts=(1.0, 20.0), weight=0.6)
def _config_deleted(world: World, dice: random.Random) -> Course:
    (world.folder / "config.yaml").unlink(missing_ok=True)
    yield
    world.write_config()
