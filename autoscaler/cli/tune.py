"""`autoscaler tune`: which settings of a pool are worth having, which are best at a price, and what to write into `config.yaml`."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from autoscaler.cli.tasks import Tasks, tasks_of
from autoscaler.config.load import load
from autoscaler.report.sentence import seconds as spoken
from autoscaler.sim.tune import Attempt, Trial, Tuning, Work, attempts, compare, tune


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be tuned, as it stood on the command line."""

    pool: str
    trace: Path | None
    journal: Path | None
    hour_waited_costs: float
    boot: float | None


def tune_pool(config: Path, asked: Asked, *, as_json: bool) -> None:
    """Print what every way of sizing this pool would have cost, and which to take."""
    settings = load(config, os.environ)
    if asked.pool not in settings.pools:
        raise click.BadParameter(f"{asked.pool!r} is no pool of {config}: it has {', '.join(settings.pools)}", param_hint="--pool")
    tasks = tasks_of(asked.pool, asked.trace, asked.journal, asked.boot)
    planned = attempts(settings, asked.pool, tasks.boot_seconds)
    found = compare(_tried(planned, asked.pool, Work(tasks.trace, tasks.boot_seconds, tasks.begins_at)))
    if not found.front:
        raise click.ClickException(f"no setting gets all tasks done with replicas.max: {settings.pools[asked.pool].replicas.max}: raise it")
    if as_json:
        click.echo(json.dumps(_plain(found, asked, tasks), indent=2))
        return
    for line in told(found, asked, tasks):
        click.echo(line)


def _tried(planned: Sequence[Attempt], pool: str, work: Work) -> Iterator[Trial]:
    """Try them; on stderr, how long it will take."""
    from rich.console import Console

    console, cores, began = Console(stderr=True), len(os.sched_getaffinity(0)), time.monotonic()
    what = f"{pool}: {len(planned)} settings on {len(work.trace):,} tasks"
    with console.status(what) as status:
        for number, trial in enumerate(tune(planned, pool, work, cores), start=1):
            left = (time.monotonic() - began) / number * (len(planned) - number)
            status.update(f"{what}: {number} tried, about {spoken(left)} left")
            yield trial
    console.print(f"{what}: tried in {spoken(time.monotonic() - began)}", highlight=False)


def told(found: Tuning, asked: Asked, tasks: Tasks) -> Iterator[str]:
    """The answer first, then what else is worth having, then the lines to paste."""
    price, best = asked.hour_waited_costs, found.best(asked.hour_waited_costs)
    present = next(trial for trial in found.trials if trial.is_present)
    span = spoken(tasks.trace.arrivals[-1] - tasks.trace.arrivals[0])
    yield f"{asked.pool}: {len(tasks.trace):,} tasks in {span} ({tasks.source}), workers start in {tasks.boot_seconds:.1f} s"
    yield f"Where an hour waited costs {_hours(price)}, the best of {len(found.trials)} settings is {best.keys.short}{_named(best)}:"
    yield f"  {_outcome(best)}"
    if best is not present:
        yield f"  the present settings ({present.keys.short}): {_outcome(present)}"
    for maximum, seconds in best.held_down.items():
        yield f"  {maximum}, which kept it from more workers for {spoken(seconds)}: what tasks wait for that, no way of sizing can change"
    yield ""
    yield from _table(found, best)
    yield ""
    yield "To paste into config.yaml, over the same keys of the pool and in place of its other way of sizing:"
    yield ""
    yield from best.keys.lines(asked.pool)


def _table(found: Tuning, best: Trial) -> Iterator[str]:
    """The front, then the presets and the present settings that are not on it."""
    between = {id(trial): (low, high) for trial, low, high in found.best_between}
    front = distinct(found, best)
    beaten = [trial for trial in found.trials if (trial.preset or trial.is_present) and trial not in found.front]
    yield "Worth having, the cheapest first: nothing else tried is both cheaper and sooner."
    yield f"{'worker-h':>9}{'mean wait':>11}{'p95':>8}{'longest':>9}{'starts':>8}{'commands':>10}  settings"
    yield from (_row(trial) + _prices(between.get(id(trial))) + " <- best" * (trial is best) for trial in front)
    if len(front) < len(found.front):
        yield f"Left out, because they come to nearly the same as another: {len(found.front) - len(front)} (--format json has them)."
    if beaten:
        yield "Not worth it on these tasks: something above is as cheap and as soon, or better."
        yield from (_row(trial) for trial in sorted(beaten, key=lambda trial: trial.marks))


def distinct(found: Tuning, best: Trial) -> list[Trial]:
    """The front without those that come to nearly the same as another: of these the best at some price, or one with a name, stays."""
    worth = {id(trial) for trial, _, _ in found.best_between} | {id(best)}
    telling = sorted(found.front, key=lambda trial: (id(trial) not in worth, not (trial.preset or trial.is_present)))
    shown: list[Trial] = []
    for trial in telling:
        if id(trial) in worth or trial.preset or trial.is_present or not any(_nearly(trial, other) for other in shown):
            shown.append(trial)
    return sorted(shown, key=lambda trial: trial.marks)


def _nearly(one: Trial, other: Trial) -> bool:
    """Cost within 2 %, waits within a tenth or half a second."""
    (cost, *waits), (other_cost, *other_waits) = one.marks, other.marks
    close = all(abs(a - b) <= max(0.5, 0.1 * b) for a, b in zip(waits, other_waits, strict=True))
    return close and abs(cost - other_cost) <= 0.02 * other_cost


def _row(trial: Trial) -> str:
    score = trial.score
    waits = f"{_seconds(score.wait_mean_s):>11}{_seconds(score.wait_p95_s):>8}{_seconds(score.wait_max_s):>9}"
    return f"{_figure(trial.worker_hours):>9}{waits}{score.starts or 0:>8,}{score.broker_commands:>10,}  {trial.keys.short}{_named(trial)}"


def _named(trial: Trial) -> str:
    names = [name for name in (trial.preset, "present" if trial.is_present else "") if name]
    return f" ({', '.join(names)})" if names else ""


def _prices(between: tuple[float, float] | None) -> str:
    """For which prices of an hour waited it is the best.

    >>> _prices((0.0, 0.52)), _prices((3.0, math.inf)), _prices(None)
    (' | best up to 0.52', ' | best from 3', '')
    """
    if between is None:
        return ""
    low, high = between
    if math.isinf(high):
        return f" | best from {low:.2g}" if low else " | best at any price"
    return f" | best from {low:.2g} to {high:.2g}" if low else f" | best up to {high:.2g}"


def _outcome(trial: Trial) -> str:
    waits = (
        f"mean wait {_seconds(trial.score.wait_mean_s)}, p95 {_seconds(trial.score.wait_p95_s)}, longest {_seconds(trial.score.wait_max_s)}"
    )
    return f"{_figure(trial.worker_hours)} worker-hours, {waits}, {_figure(trial.hours_waited)} hours waited in all"


def _figure(hours: float) -> str:
    """No more digits than say something.

    >>> _figure(0.0312), _figure(12.345), _figure(1234.5)
    ('0.031', '12.35', '1,234')
    """
    return f"{hours:.3f}" if hours < 1 else f"{hours:,.2f}" if hours < 1000 else f"{hours:,.0f}"


def _hours(price: float) -> str:
    return "as much as a worker-hour" if price == 1 else f"{price:g} worker-hours"


def _seconds(wait: float | None) -> str:
    return "-" if wait is None else f"{wait:.1f} s" if wait < 10 else spoken(wait)


def _plain(found: Tuning, asked: Asked, tasks: Tasks) -> dict[str, Any]:
    best = found.best(asked.hour_waited_costs)
    between = {id(trial): (low, high) for trial, low, high in found.best_between}
    rows = [_plain_trial(trial, found, between.get(id(trial))) for trial in found.trials]
    return {
        "source": tasks.source,
        "pool": asked.pool,
        "boot_s": round(tasks.boot_seconds, 3),
        "hour_waited_costs": asked.hour_waited_costs,
        "best": next(number for number, trial in enumerate(found.trials) if trial is best),
        "lines": "\n".join(best.keys.lines(asked.pool)) + "\n",
        "settings": rows,
    }


def _plain_trial(trial: Trial, found: Tuning, between: tuple[float, float] | None) -> dict[str, Any]:
    low, high = between or (None, None)
    figures = {name: value for name, value in trial.score.plain().items() if name != "policy"}
    return {
        "keys": {**{name: value for name, value in asdict(trial.keys).items() if name != "sizing"}, **trial.keys.sizing},
        "preset": trial.preset or None,
        "present": trial.is_present,
        "on_front": trial in found.front,
        "best_from": None if low is None else round(low, 4),
        "best_to": None if high is None or math.isinf(high) else round(high, 4),
        "hours_waited": round(trial.hours_waited, 4),
        "held_down": dict(trial.held_down),
        **figures,
    }
