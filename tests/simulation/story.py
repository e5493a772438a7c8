"""What a seed means: a configuration, habits of the world, work, and faults with their times.

A story is a plain value: the same seed gives the same one, parts of it can be left out (`shrink.py`), and `run.play` tells it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

INSTANCE = "sim"
CANARY = "canary-secret-7c1f"
"""Stands in every secret of the configuration, and nowhere else."""
CALM_BEFORE_SECONDS = 4.0
MOST_WORK_SECONDS = 40.0
"""No arrival means more work than this for one slot: a story is about faults, and not about a long afternoon without any."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Tasks that come at one moment."""

    number: int
    """Its place in the whole story: how it is named on the command line."""
    at: float
    queue: str
    count: int
    runtime: float
    eta_in: float | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """One fault, when it begins and how long it lasts."""

    number: int
    """Its place in the whole story: how it is named on the command line."""
    at: float
    fault: str
    seconds: float

    def __str__(self) -> str:
        return f"#{self.number} at {self.at:.1f} s for {self.seconds:.1f} s: {self.fault}"


@dataclass(frozen=True, slots=True)
class Story:
    """One run of the simulation, before it is run."""

    seed: int
    config: dict[str, Any]
    storm_seconds: float
    """After this nothing new goes wrong."""
    arrivals: tuple[Arrival, ...]
    happenings: tuple[Happening, ...]
    acks_late: bool
    prefetch: int
    boot_seconds: tuple[float, float]
    visibility_seconds: float
    flower_lists_all: bool

    @property
    def queues(self) -> tuple[str, ...]:
        """Every queue that any pool consumes."""
        return tuple(queue for pool in self.config["pools"].values() for queue in pool["queues"])

    def with_only(self, faults: frozenset[int] | None, work: frozenset[int] | None) -> Story:
        """The same with these faults and arrivals only, by their numbers; None for all."""
        return replace(
            self,
            happenings=tuple(h for h in self.happenings if faults is None or h.number in faults),
            arrivals=tuple(a for a in self.arrivals if work is None or a.number in work),
        )


def story_of(seed: int, faults: dict[str, tuple[float, float, float]]) -> Story:
    """The story of a seed; `faults`: name -> weight, shortest and longest duration."""
    dice = random.Random(f"{seed}/story")
    config = _configuration(dice)
    queues = [queue for pool in config["pools"].values() for queue in pool["queues"]]
    storm = dice.uniform(30.0, 80.0)
    return Story(
        seed=seed,
        config=config,
        storm_seconds=storm,
        arrivals=tuple(_arrivals(dice, queues, storm)),
        happenings=tuple(_happenings(dice, faults, storm)),
        acks_late=dice.random() < 0.5,
        prefetch=dice.choice([0, 0, 1, 4]),
        boot_seconds=dice.choice([(1.0, 2.0), (2.0, 5.0), (4.0, 12.0)]),
        visibility_seconds=dice.choice([15.0, 30.0]),
        flower_lists_all="brokers" not in config or dice.random() < 0.5,
    )


def _arrivals(dice: random.Random, queues: list[str], storm: float) -> Iterator[Arrival]:
    for number in range(dice.randint(3, 7)):
        eta_in = dice.uniform(5.0, 40.0) if dice.random() < 0.15 else None
        runtime = dice.choice([dice.uniform(0.2, 2.0), dice.uniform(2.0, 10.0), dice.uniform(10.0, 40.0)])
        count = min(dice.randint(1, 10), math.ceil(MOST_WORK_SECONDS / runtime))
        yield Arrival(number, dice.uniform(0.0, 0.9 * storm), dice.choice(queues), count, runtime, eta_in)


def _happenings(dice: random.Random, faults: dict[str, tuple[float, float, float]], storm: float) -> Iterator[Happening]:
    names, weights = list(faults), [weight for weight, _, _ in faults.values()]
    for number in range(dice.randint(2, 6)):
        name = dice.choices(names, weights)[0]
        _, shortest, longest = faults[name]
        yield Happening(number, dice.uniform(CALM_BEFORE_SECONDS, 0.9 * storm), name, dice.uniform(shortest, longest))


def _configuration(dice: random.Random) -> dict[str, Any]:
    config: dict[str, Any] = {
        "instance": INSTANCE,
        "state": "${STATE}",
        "interval": f"{dice.choice([2, 3, 4, 5])}s",
        "max_replicas": dice.choice([4, 6, 10]),
        "flower": {
            "url": "http://flower:5555",
            "timeout": f"{dice.choice([1, 3, 5])}s",
            "max_age": f"{dice.choice([10, 30])}s",
            "username": "u",
            "password": CANARY,
        },
        "fleet": {"type": "docker", "timeout": f"{dice.choice([2, 5])}s"},
        "pools": {name: _pool(dice, name) for name in ("mail", "video", "report")[: dice.choice([1, 1, 2, 2, 3])]},
    }
    if dice.random() < 0.7:
        config["brokers"] = [{"name": "primary", "url": f"redis://:{CANARY}@primary:6379/0", "timeout": "2s"}]
    if "brokers" in config and dice.random() < 0.35:
        config["brokers"].append({"name": "fallback", "url": f"redis://:{CANARY}@fallback:6379/0", "timeout": "2s"})
        for pool in config["pools"].values():
            pool["worker"]["metrics_port"] = 9100  # Flower hears the workers of one broker only
    if "brokers" in config and dice.random() < 0.25:
        budget = {"budget": f"{dice.choice([300, 300, 1500, 20_000])}/day", "on_exhausted": dice.choice(["continue", "stop"])}
        config["brokers"][0] |= budget
    if dice.random() < 0.2:
        config["idle_interval"] = f"{dice.choice([10, 25])}s"
    return config


def _pool(dice: random.Random, name: str) -> dict[str, Any]:
    slots, low = dice.choice([1, 2, 4]), dice.choice([0, 0, 0, 1])
    queues = [name, f"{name}-slow"][: dice.choice([1, 1, 2])]
    pool: dict[str, Any] = {
        "queues": queues,
        "slots": slots,
        "replicas": {"min": low, "max": dice.randint(max(1, low), 5)},
        "scale_down": {"stabilization": dice.choice(["auto", "0s", "6s", "12s"]), "max_step": dice.choice(["100%", "100%", 1, "50%"])},
        "scale_up": {"max_step": dice.choice(["none", "none", 1, 2]), "cooldown": dice.choice(["0s", "0s", "5s"])},
        "drain": {"timeout": f"{dice.choice([5, 20, 60])}s", "on_timeout": dice.choice(["wait", "wait", "kill"])},
        "start": {"timeout": f"{dice.choice([20, 40])}s"},
        "worker": {"image": "app:1", "environment": {"CELERY_QUEUES": ",".join(queues), "CELERY_AUTOSCALE": f"{slots},1"}},
    }
    if dice.random() < 0.3:
        pool["worker"]["metrics_port"] = 9100
    pool |= dice.choice([{}, {}, {"thresholds": {"up": 3, "max_wait": "5s", "down": 1}}, {"target_wait": "8s"}, {"backlog_per_replica": 2}])
    if dice.random() < 0.15:
        pool["spare"] = 1
    return pool
