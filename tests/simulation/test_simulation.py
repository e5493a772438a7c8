"""The daemon in a world of seeded faults: stories hold, repeat and shrink, and every deliberate fault of the product is caught."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FunctionType

import pytest

from .__main__ import command
from .hunt import hunt
from .mutations import MUTATIONS, Mutation
from .run import Verdict, play, tale
from .shrink import shrink
from .story import Story

ROOT = Path(__file__).parent.parent.parent
STORIES = 10
"""A whole run of the checks plays a thousand before its tests begin (scripts/test); these are for who runs the tests alone."""


@pytest.mark.timeout(300)  # a story that fails is shortened, which plays it again and again
def test_stories_hold() -> None:
    """Whatever goes wrong, all invariants hold after every step; else the shortest story that shows it is printed."""
    options = ["--seeds", str(STORIES), "--jobs", "2"]
    told = subprocess.run([sys.executable, "-m", "tests.simulation", *options], cwd=ROOT, capture_output=True, text=True, check=False)

    assert 0 == told.returncode, told.stdout + told.stderr
    assert f"{STORIES} stories, 0 failed" in told.stdout


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_caught(mutation: Mutation) -> None:
    """Some story sees this deliberate fault, and the invariant that names it is the one that breaks."""
    verdict = hunt(mutation)

    assert verdict.violations[0].partition(" ")[0] in mutation.caught, verdict.violations[0]


@pytest.mark.parametrize("seed", [3, 31], ids=["answers that are lost", "producers that wake"])
def test_a_story_repeats(seed: int) -> None:
    """The same seed does the same to the last request, in another process with other hashes too."""
    options = ["--seed", str(seed)]
    ends = [
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", *options],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()[-1]
        for hashes in ("1", "2")
    ]

    assert ends[0] == ends[1]
    assert f"digest {play(tale(seed)).digest}" in ends[0]


def test_no_clock_is_taken_at_import() -> None:
    """A default value is made once and for all: a real clock in it would go on in a story, beside the machine's."""
    clocks = (time.time, time.monotonic, time.perf_counter, time.sleep)
    ours = [it for it in gc.get_objects() if isinstance(it, FunctionType) and str(it.__module__).startswith("autoscaler.")]
    defaults = {made.__qualname__: (*(made.__defaults__ or ()), *(made.__kwdefaults__ or {}).values()) for made in ours}

    assert [name for name, values in defaults.items() if any(value in clocks for value in values)] == []


def test_a_failing_story_is_shrunk() -> None:
    """What a failure does not need is left out, and the command tells the rest."""
    whole = next(story for story in map(tale, range(100)) if len(story.happenings) >= 4)
    guilty = whole.happenings[2]

    def fails_by_the_third(story: Story) -> Verdict:
        broken = ("I5 at 1.00 s: a task is lost",) if guilty in story.happenings else ()
        return Verdict(story.seed, broken, 0, 0, 0, 0, 0.0, 0.0)

    short = shrink(whole, "I5", fails_by_the_third)

    assert ((guilty,), ()) == (short.happenings, short.arrivals)
    assert f"make simulate SEED={whole.seed} ONLY={guilty.number} WORK=," == command(short)


def test_part_of_a_story_is_told_by_its_numbers() -> None:
    """A fault keeps its number, and with it what it does, when others are left out."""
    whole = tale(5)
    part = whole.with_only(frozenset({whole.happenings[-1].number}), None)

    assert replace(whole, happenings=whole.happenings[-1:]) == part
