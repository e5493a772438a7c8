"""Tries the grid of settings on one trace, and finds those worth having: nothing else is both cheaper and sooner.

Which of them is best depends on what an hour waited costs against a worker-hour, so for each it is told between which prices it is.
Every trial is a simulation of its own, spread over the cores; the result does not depend on how many there are.
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from autoscaler.config.models import Settings
from autoscaler.model import PoolPolicy
from autoscaler.sim.arrivals import Trace
from autoscaler.sim.choices import Keys, grid, keys_of, present_keys, settings_with
from autoscaler.sim.run import only, run
from autoscaler.sim.score import Score, score_run, target_seconds
from autoscaler.sim.simulate import MONDAY, policies_of
from autoscaler.sim.world import STOP_SECONDS, Boot

WORTH_PROCESSES = 20_000
"""Tasks in all trials together from which on other processes are worth their start."""

Tried = tuple[Score, Mapping[str, float]]
"""Of one run: its figures, and for how long which maximum kept it from more workers."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done, whatever the settings."""

    trace: Trace
    boot_seconds: float = 3.0
    begins_at: float = MONDAY
    """When the trace begins, for pools with schedules."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to size the pool, and what it came to."""

    keys: Keys
    score: Score
    preset: str
    """Its name, empty for none."""
    is_present: bool
    """The configuration has it now."""
    held_down: Mapping[str, float] = field(default_factory=dict)
    """For how many seconds a maximum kept the count down, by the words about it."""

    @property
    def worker_hours(self) -> float:
        """What it costs."""
        return self.score.worker_seconds / 3600

    @property
    def hours_waited(self) -> float:
        """By all tasks together."""
        return (self.score.wait_mean_s or 0.0) * self.score.tasks / 3600

    def price(self, hour_waited: float) -> float:
        """All of it in worker-hours, where an hour waited costs so many."""
        return self.worker_hours + hour_waited * self.hours_waited

    @property
    def marks(self) -> tuple[float, float, float]:
        """What trials are compared by, less is better: cost, mean wait, p95 wait."""
        return self.score.worker_seconds, self.score.wait_mean_s or 0.0, self.score.wait_p95_s or 0.0

    def beats(self, other: Trial) -> bool:
        """At least as good in cost, mean wait and p95 wait, and better in one of them."""
        return self.marks != other.marks and all(mine <= theirs for mine, theirs in zip(self.marks, other.marks, strict=True))


@dataclass(frozen=True, slots=True)
class Tuning:
    """All trials, and between which prices of an hour waited each is the best."""

    trials: tuple[Trial, ...]
    front: tuple[Trial, ...]
    """Those that no other beats, the cheapest first."""
    best_between: tuple[tuple[Trial, float, float], ...]
    """(trial, from, to) in worker-hours for an hour waited, from price 0 to infinity."""

    def best(self, hour_waited: float) -> Trial:
        """What costs least, the waits included."""
        return next(trial for trial, _, to in self.best_between if hour_waited < to)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to size the pool, not tried yet."""

    settings: Settings
    keys: Keys
    preset: str
    is_present: bool


def attempts(settings: Settings, pool: str, boot_seconds: float) -> tuple[Attempt, ...]:
    """What is to be tried: the grid, and the present settings where they are none of it."""
    before, restart, now = settings.pools[pool], boot_seconds + STOP_SECONDS, _policy(settings, pool)
    found = []
    for choice in grid(before):
        tried = settings_with(settings, pool, choice, restart)
        found.append(Attempt(tried, keys_of(choice, before, restart), choice.preset, _policy(tried, pool) == now))
    if not any(attempt.is_present for attempt in found):
        found.append(Attempt(settings, present_keys(before), "", is_present=True))
    return tuple(found)


def _policy(settings: Settings, pool: str) -> PoolPolicy:
    return only(policies_of(settings, pool)(0.0))


def tune(planned: Sequence[Attempt], pool: str, work: Work, processes: int = 1) -> Iterator[Trial]:
    """Each attempt as soon as it and those before it are made, on so many processes where that pays."""
    variants = [attempt.settings for attempt in planned]
    tried = _all_tried(variants, pool, work, processes if len(work.trace) * len(variants) >= WORTH_PROCESSES else 1)
    for attempt, (score, held_down) in zip(planned, tried, strict=True):
        yield Trial(attempt.keys, score, attempt.preset, attempt.is_present, held_down)


def _all_tried(variants: Sequence[Settings], pool: str, work: Work, processes: int) -> Iterator[Tried]:
    attempt = partial(_try, work, pool)
    if processes <= 1:
        yield from map(attempt, variants)
        return
    with ProcessPoolExecutor(min(processes, len(variants)), multiprocessing.get_context("spawn")) as others:
        yield from others.map(attempt, variants)


def _try(work: Work, pool: str, settings: Settings) -> Tried:
    policies_at = policies_of(settings, pool, work.begins_at)
    policy, done = only(policies_at(0.0)), run(policies_at, work.trace, Boot(work.boot_seconds))
    return score_run(done, policy.slots, target_seconds(policy)), done.held_down


def compare(trials: Iterable[Trial]) -> Tuning:
    """The trials with what is worth having of them; settings under which not all work was done are out of the question."""
    everything = tuple(trials)
    whole = [trial for trial in everything if trial.score.done == trial.score.tasks]
    front: dict[tuple[float, float, float], Trial] = {}
    for trial in sorted(whole, key=lambda trial: (*trial.marks, not trial.preset)):
        if not any(other.beats(trial) for other in whole):
            front.setdefault(trial.marks, trial)
    worth = tuple(front.values())
    return Tuning(everything, worth, tuple(best_between(worth)))


def best_between(front: Sequence[Trial]) -> Iterator[tuple[Trial, float, float]]:
    """From price 0 on the trial that is best, and up to which price: then the next one begins whose waits pay for their workers."""
    if not front:
        return
    now, price = min(front, key=lambda trial: (trial.worker_hours, trial.hours_waited)), 0.0
    while True:
        sooner = [trial for trial in front if trial.hours_waited < now.hours_waited]
        if not sooner:
            yield now, price, math.inf
            return
        after = min(sooner, key=lambda trial: (_breaks_even(now, trial), trial.hours_waited))
        yield now, price, _breaks_even(now, after)
        now, price = after, _breaks_even(now, after)


def _breaks_even(thrifty: Trial, sooner: Trial) -> float:
    """What an hour waited must cost so that both are as good."""
    return (sooner.worker_hours - thrifty.worker_hours) / (thrifty.hours_waited - sooner.hours_waited)
