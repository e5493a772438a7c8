"""`autoscaler simulate`: a trace of tasks under this configuration, on simulated time."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import click

from autoscaler.config.load import load
from autoscaler.config.units import seconds
from autoscaler.sim.arrivals import load_trace
from autoscaler.sim.chart import picture, table, verdict
from autoscaler.sim.simulate import policies_of, simulate
from autoscaler.sim.world import Boot


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be simulated, as it stood on the command line."""

    pool: str
    trace: Path
    boot: str
    boot_spread: float
    seed: int


def simulate_trace(config: Path, asked: Asked, *, as_json: bool) -> None:
    """Print what the pool would have cost and how long tasks would have waited."""
    settings = load(config, os.environ)
    if asked.pool not in settings.pools:
        raise click.BadParameter(f"{asked.pool!r} is no pool of {config}: it has {', '.join(settings.pools)}", param_hint="--pool")
    boot = Boot(_seconds(asked.boot, "--boot"), asked.boot_spread)
    result = simulate(policies_of(settings, asked.pool), load_trace(asked.trace), boot, asked.seed)
    if as_json:
        rows = [score.plain() for score in result.scores]
        click.echo(json.dumps({"trace": str(asked.trace), "pool": asked.pool, "results": rows}, indent=2))
        return
    from rich.console import Console

    console = Console(width=80, soft_wrap=True)
    console.print(table(result.scores))
    for line in (*picture(result.course), *verdict(result.scores[0])):
        console.print(line, markup=False, highlight=False)


def _seconds(text: str, option: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error
