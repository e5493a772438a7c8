"""Plays one story: a storm of faults, then calm until the world is at rest, and the judgement of all invariants.

play(story_of(7)) -> Verdict
"""

from __future__ import annotations

import hashlib
import random
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .doors import installed
from .faults import FAULTS, weights
from .invariants import new_watchers, unrest
from .story import Story, story_of
from .world import World

PATIENCE_SECONDS = 1500.0
"""After the storm, for the world to come to rest: the longest backoff, a drain and a visibility timeout fit in."""
LOOK_SECONDS = 5.0
MEMORY_FOLDER = Path("/dev/shm")
"""The journal is written there where there is such a folder: thousands of stories should not wear out a disk."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one story ended."""

    seed: int
    violations: tuple[str, ...]
    ticks: int
    changes: int
    tasks: int
    restarts: int
    seconds: float
    """Simulated."""
    calm_seconds: float
    """From the last fault to rest."""
    faults: Counter[str] = field(default_factory=Counter)
    digest: str = ""
    """Of everything that was changed and when: the same seed gives the same."""


def tale(seed: int) -> Story:
    """The story of a seed, with all faults of the catalogue."""
    return story_of(seed, weights())


def play(story: Story, tell: Callable[[str], None] | None = None) -> Verdict:
    """Tell a story to its end, or to the first thing that must not be."""
    where = MEMORY_FOLDER if MEMORY_FOLDER.is_dir() else None
    with tempfile.TemporaryDirectory(dir=where, prefix="simulation-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what a killed process did not await
        world = World(story, Path(folder), new_watchers(), tell)
        with installed(world):
            try:
                return _play(world)
            finally:
                _bury(world)


def _play(world: World) -> Verdict:
    story, machine = world.story, world.machine
    world.write_config()
    world.boot()
    for arrival in story.arrivals:
        machine.later(arrival.at, world.send, arrival.queue, arrival.count, arrival.runtime, arrival.eta_in)
    told: Counter[str] = Counter()
    for happening in story.happenings:
        machine.later(happening.at, _befall, world, happening, told)
    machine.run(story.storm_seconds)
    if not machine.stopped:
        world.note("calm")
        world.calm()
    while not machine.stopped and machine.now < story.storm_seconds + PATIENCE_SECONDS:
        machine.run(machine.now + LOOK_SECONDS)
        if machine.bugs or (not unrest(world) and world.life and world.life.ticks > 2):
            break
    for bug in machine.bugs:
        world.fail("I0", bug)
    if not machine.stopped:
        for watcher in world.watchers:
            watcher.at_end(world)
    return _verdict(world, told)


def _befall(world: World, happening: object, told: Counter[str]) -> None:
    """Let one fault begin, and end when its time is up or the storm is over."""
    fault = FAULTS[happening.fault]
    world.note(f"== {happening}")
    told[happening.fault] += 1
    course = fault.course(world, random.Random(f"{world.story.seed}/fault/{happening.number}"))
    next(course)
    left = world.story.storm_seconds - world.machine.now

    def end() -> None:
        world.note(f"== over: {happening.fault}")
        next(course, None)

    world.machine.later(min(happening.seconds, max(0.0, left - 0.01)), end)


def _verdict(world: World, told: Counter[str]) -> Verdict:
    return Verdict(
        seed=world.story.seed,
        violations=tuple(world.violations),
        ticks=sum(life.ticks for life in world.lives),
        changes=len(world.changes),
        tasks=len(world.ledger.tasks),
        restarts=len(world.lives) - 1,
        seconds=world.machine.now,
        calm_seconds=max(0.0, world.machine.now - world.story.storm_seconds),
        faults=told,
        digest=hashlib.sha256("\n".join(world.changes).encode()).hexdigest()[:12],
    )


def _bury(world: World) -> None:
    """End every thread of every daemon, so that nothing of this story is left in memory."""
    for life in world.lives:
        life.process.kill()
    world.machine.stopped = False
    world.watchers = ()
    world.machine.clear()
