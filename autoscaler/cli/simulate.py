"""`autoscaler simulate`: a trace of tasks under this configuration, on simulated time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import click

from autoscaler.cli.tasks import tasks_of
from autoscaler.config.load import load
from autoscaler.sim.chart import picture, table, verdict
from autoscaler.sim.plot import plot
from autoscaler.sim.rivals.catalog import CATALOG
from autoscaler.sim.simulate import policies_of, simulate
from autoscaler.sim.standings import standings, summary
from autoscaler.sim.world import Boot


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be simulated, as it stood on the command line."""

    pool: str
    trace: Path | None
    journal: Path | None
    boot: float | None
    boot_spread: float
    seed: int
    rivals: bool
    plot: TextIO | None


def simulate_trace(config: Path, asked: Asked, *, as_json: bool) -> None:
    """Print what the pool would have cost and how long tasks would have waited."""
    settings = load(config, os.environ)
    if asked.pool not in settings.pools:
        raise click.BadParameter(f"{asked.pool!r} is no pool of {config}: it has {', '.join(settings.pools)}", param_hint="--pool")
    tasks = tasks_of(asked.pool, asked.trace, asked.journal, asked.boot)
    boot, policies_at = Boot(tasks.boot_seconds, asked.boot_spread), policies_of(settings, asked.pool, tasks.begins_at)
    result = simulate(policies_at, tasks.trace, boot, asked.seed, _told(CATALOG) if asked.rivals else ())
    if asked.plot is not None:
        asked.plot.write(plot(result, asked.pool, Path(tasks.source).name, boot.mean_seconds))
    if as_json:
        rows = [score.plain() for score in result.scores]
        click.echo(json.dumps({"trace": tasks.source, "pool": asked.pool, "results": rows}, indent=2))
        return
    from rich.console import Console

    console = Console(width=80, soft_wrap=True)
    console.print(standings(result.scores) if asked.rivals else table(result.scores))
    words = summary(result.scores) if asked.rivals else []
    for line in (*picture(result.run.course), *verdict(result.scores[0], result.run), *words):
        console.print(line, markup=False, highlight=False)


def _told(rivals: Iterable[str]) -> Iterator[str]:
    """On a terminal, which rival is running: they take seconds each."""
    from rich.console import Console

    with Console(stderr=True).status("simulating") as status:
        for rival in rivals:
            status.update(f"simulating {rival}")
            yield rival
