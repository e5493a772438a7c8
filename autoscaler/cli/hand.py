"""The commands by which a person steers the running daemon. Each says what it does, `steer.py` does it over HTTP."""

from __future__ import annotations

from typing import Any

import click

from autoscaler.cli.options import for_option, pool_argument, tells_daemon, why_option

COUNT = click.IntRange(0, 10_000)


def _daemon(url: str, token: str, form: str) -> Any:
    from autoscaler.cli.steer import Daemon

    return Daemon(url, token, form)


@click.command()
@pool_argument
@for_option
@click.option("--direction", type=click.Choice(["up", "down", "both"]), default="both", show_default=True, help="What is held.")
@why_option
@tells_daemon
def pause(pool: str, period: str | None, direction: str, why: str, **daemon: str) -> None:
    """Hold POOL as it is: no growth, no shrinking, or neither.

    Bounds still hold: a pool below its minimum or above its maximum is corrected.
    """
    _daemon(**daemon).order(pool, "pause", why=why, direction=direction, **{"for": period})


@click.command()
@pool_argument
@why_option
@tells_daemon
def resume(pool: str, why: str, **daemon: str) -> None:
    """Give POOL back to the autoscaler: no pause, no count set by hand, no drain."""
    _daemon(**daemon).order(pool, "resume", why=why)


@click.command()
@pool_argument
@click.argument("replicas", type=COUNT)
@for_option
@why_option
@tells_daemon
def scale(pool: str, replicas: int, period: str | None, why: str, **daemon: str) -> None:
    """Set POOL to so many replicas, at once, whatever the work asks for; bounds hold.

    With several brokers it is the count over all of them: what waits on another than the active one has its workers among these.
    """
    _daemon(**daemon).order(pool, "scale", replicas=replicas, why=why, **{"for": period})


@click.command()
@click.argument("target", metavar="POOL|WORKER")
@for_option
@why_option
@tells_daemon
def drain(target: str, period: str | None, why: str, **daemon: str) -> None:
    """Send all workers of a pool home, or one worker: each finishes what it has begun.

    One worker is replaced if the work asks for it. A pool stays without workers until `resume`, or for the time of `--for`.
    """
    _daemon(**daemon).drain(target, why, period)


@click.command()
@pool_argument
@click.option("--count", default=0, show_default=True, type=click.IntRange(0), help="How many tasks were sent; 0 where nobody counted.")
@why_option
@tells_daemon
def wake(pool: str, count: int, why: str, **daemon: str) -> None:
    """Look at POOL now, and start a first replica where its queue cannot be seen."""
    _daemon(**daemon).order(pool, "wake", count=count, why=why)


@click.command()
@why_option
@tells_daemon
def reload(why: str, **daemon: str) -> None:
    """Have config.yaml read now; `status` tells what came of it."""
    _daemon(**daemon).reload(why)


STEERING = (pause, resume, scale, drain, wake, reload)
