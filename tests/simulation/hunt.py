"""Looks for the story that catches a mutation: its faults are made frequent, and the seeds tried one after the other."""

from __future__ import annotations

from .faults import weights
from .mutations import Mutation
from .run import Verdict, play
from .story import Story, story_of

MOST_SEEDS = 60
FREQUENT = 12.0


def story_for(mutation: Mutation, seed: int) -> Story:
    """The story of a seed in which the mutation's faults happen often."""
    chances = {name: ((weight + FREQUENT) if name in mutation.faults else weight, *lasts) for name, (weight, *lasts) in weights().items()}
    unknown = set(mutation.faults) - set(chances)
    assert not unknown, f"no such faults: {unknown}"
    return story_of(seed, chances)


def hunt(mutation: Mutation) -> Verdict:
    """The verdict of the first story that catches the mutation."""
    for seed in range(mutation.first, mutation.first + MOST_SEEDS):
        story = story_for(mutation, seed)
        with mutation.applied():
            verdict = play(story)
        if verdict.violations:
            return verdict
    raise AssertionError(f"{mutation.name}: {MOST_SEEDS} stories, and nobody noticed")
