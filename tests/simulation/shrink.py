"""Finds the shortest story that still fails: fewer faults first, then less work, then shorter faults.

shrink(story) -> the shorter story, and its verdict
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from .run import Verdict, play
from .story import Story

MOST_PLAYS = 60


def shrink(story: Story, broken: str, try_out: Callable[[Story], Verdict] = play) -> Story:
    """The story with everything left out that it does not need to break the same invariant."""
    plays = 0
    shorter = True
    while shorter and plays < MOST_PLAYS:
        shorter = False
        for candidate in _shorter(story):
            plays += 1
            if breaks(try_out(candidate), broken):
                story, shorter = candidate, True
                break
            if plays >= MOST_PLAYS:
                break
    return story


def breaks(verdict: Verdict, broken: str) -> bool:
    """Whether this invariant is the one that does not hold."""
    return bool(verdict.violations) and verdict.violations[0].startswith(f"{broken} ")


def _shorter(story: Story) -> Iterator[Story]:
    """The same story with one thing less."""
    for i in range(len(story.happenings)):
        yield replace(story, happenings=story.happenings[:i] + story.happenings[i + 1 :])
    for i in range(len(story.arrivals)):
        yield replace(story, arrivals=story.arrivals[:i] + story.arrivals[i + 1 :])
