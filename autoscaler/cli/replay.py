"""`autoscaler replay`: what this configuration would have decided on what was seen, and what would have come of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from autoscaler.config.load import load
from autoscaler.config.models import Settings
from autoscaler.report.past import read_past
from autoscaler.report.plain import to_plain
from autoscaler.report.sentence import seconds as spoken
from autoscaler.report.ticks import Look
from autoscaler.sim.observations import epoch_of, load_observations
from autoscaler.sim.replay import Moment
from autoscaler.sim.retrace import Estimate, Figures
from autoscaler.sim.review import Review, review

MOMENTS_SHOWN = 10
DAY = 86400.0
LEGEND = (
    "measured: what was seen; waits are those of a queue that is served in order",
    "simulated: what was decided then, on tasks rebuilt from the counts",
    "this config: what it decides on the same tasks, with the backlog that follows from it (estimate)",
)


@dataclass(frozen=True, slots=True)
class Past:
    """What was seen, and where that is written."""

    source: str
    looks: tuple[Look, ...]
    epoch: float = 0.0
    """What times of the looks count from, in seconds since 1970."""
    configurations: tuple[str, ...] = ()
    """Hashes of the files that were in force, where they are known."""

    def date(self, at: float) -> str:
        """A moment as a person reads it: by the clock, or as in a file that counts from 0."""
        return f"{at:g} s" if self.epoch else f"{_local(at):%Y-%m-%d %H:%M:%S}"

    def hour(self, at: float) -> str:
        """The same without the date, where all of it lies within a day."""
        return self.date(at) if self.epoch or self.looks[-1].at - self.looks[0].at > DAY else f"{_local(at):%H:%M:%S}"


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone()


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be replayed, as it stood on the command line."""

    journal: Path | None
    observations: Path | None
    pool: str | None
    boot: float


def replay_past(config: Path, asked: Asked, *, as_json: bool) -> None:
    """Print how this configuration would have done."""
    if asked.journal and asked.observations:
        raise click.UsageError("--journal and --observations are two sources: give one of them")
    settings = load(config, os.environ)
    if asked.pool is not None and asked.pool not in settings.pools:
        raise click.BadParameter(f"{asked.pool!r} is no pool of {config}: it has {', '.join(settings.pools)}", param_hint="--pool")
    past = _from_file(settings, asked.observations, asked) if asked.observations else _from_journal(settings, asked.journal)
    with Console(stderr=True).status(f"asking again at {len(past.looks):,} looks"):
        reviews = review(settings, past.looks, past.epoch)
    for name in settings.pools:
        if name not in reviews and asked.pool in (None, name):
            click.echo(f"{past.source} tells nothing of the pool {name}", err=True)
    shown = [found for name, found in reviews.items() if asked.pool in (None, name)]
    if as_json:
        pools = [_plain(found) for found in shown]
        whole = {"source": past.source, "config_hash": settings.hash, "happened_under": list(past.configurations), "pools": pools}
        click.echo(json.dumps(whole, indent=2))
        return
    for number, found in enumerate(shown):
        click.echo("\n" * bool(number) + "\n".join(told(found, past)))
    if past.configurations:
        click.echo("\n" + _under(settings.hash, past.configurations))


def _from_journal(settings: Settings, journal: Path | None) -> Past:
    """What a journal holds; by default that of the daemon which runs on this configuration."""
    path = journal or Path(settings.state) / "journal.sqlite3"
    kept = read_past(path)
    return Past(str(path), tuple(kept.looks()), configurations=kept.configurations)


def _from_file(settings: Settings, observations: Path, asked: Asked) -> Past:
    """What a CSV file holds, which is about one pool."""
    if asked.pool is None and len(settings.pools) > 1:
        raise click.UsageError(f"the file is about one pool: say which with --pool ({', '.join(settings.pools)})")
    looks = load_observations(observations, asked.pool or next(iter(settings.pools)), asked.boot)
    return Past(str(observations), looks, epoch_of(looks))


def told(found: Review, past: Past) -> Iterator[str]:
    """One pool for a person: the answer first, then the figures, then where it differs."""
    span = f"{past.date(found.since)} to {past.hour(found.until)}"
    tasks = "" if found.measured.tasks is None else f", {found.measured.tasks:,} tasks"
    yield f"{found.pool}: {span}, {found.looks:,} looks{tasks}"
    yield answer(found)
    yield ""
    yield from _figures(found.measured, found.estimate)
    yield ""
    yield from _differences(found, past)
    yield from (f"note: {note}" for note in found.notes)


def answer(found: Review) -> str:
    """What somebody wants to know who reads no further."""
    if not found.differing:
        return f"This config decides the same at every one of {found.compared:,} looks."
    if found.estimate is None:
        return f"This config would have wanted {_change(*found.wanted_seconds, 'worker time')} at the moments that were seen."
    then, now = found.estimate.happened, found.estimate.config
    used = _change(then.worker_seconds, now.worker_seconds, "worker time")
    return f"This config would have used {used}; longest wait {_seconds(now.wait_max_s)} instead of {_seconds(then.wait_max_s)} (estimate)."


def _change(then: float, now: float, what: str) -> str:
    """How much more or less time.

    >>> _change(7200.0, 5400.0, "worker time"), _change(90.0, 90.0, "worker time")
    ('25% less worker time (1.50 h instead of 2.00 h)', 'as much worker time (1.5 min)')
    """
    if not then:
        return f"{_paid(now)} of {what} instead of none"
    share = abs(now / then - 1)
    if round(share, 2) == 0:
        return f"as much {what} ({_paid(now)})"
    return f"{share:.0%} {'less' if now < then else 'more'} {what} ({_paid(now)} instead of {_paid(then)})"


def _paid(seconds: float) -> str:
    return f"{seconds / 3600:,.2f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def _figures(measured: Figures, estimate: Estimate | None) -> Iterator[str]:
    columns = [measured, *((estimate.happened, estimate.config) if estimate else ())]
    heads = ["measured", "simulated", "this config"][: len(columns)]
    yield f"{'':<16}" + "".join(f"{head:>14}" for head in heads)
    for name, cells in (
        ("worker time", [_paid(column.worker_seconds) for column in columns]),
        ("starts", [f"{column.starts:,}" for column in columns]),
        ("mean wait", [_seconds(column.wait_mean_s) for column in columns]),
        ("p95 wait", [_seconds(column.wait_p95_s) for column in columns]),
        ("longest wait", [_seconds(column.wait_max_s) for column in columns]),
        ("broker commands", [f"{column.broker_commands:,}" for column in columns]),
    ):
        yield f"{name:<16}" + "".join(f"{cell:>14}" for cell in cells)
    yield from (f"  {line}" for line in LEGEND[: len(columns)])


def _differences(found: Review, past: Past) -> Iterator[str]:
    if not found.differing:
        return
    yield "Asked again at every look, with the workers and the backlog of that moment (exact, but not what would have followed),"
    yield f"it wants another count at {found.differing:,} of {found.compared:,} looks:"
    largest = sorted(found.moments, key=lambda moment: -abs(moment.replica_seconds))[:MOMENTS_SHOWN]
    for moment in sorted(largest, key=lambda moment: moment.since):
        lasted = spoken(moment.until - moment.since)
        yield f"  {past.hour(moment.since)}  for {lasted}: {_range(moment.desired)} instead of {_range(moment.happened)}"
        yield f"      {moment.why}" + (f" (then: {moment.happened_reason})" if moment.happened_reason else "")
    if len(found.moments) > len(largest):
        yield f"  and at {len(found.moments) - len(largest):,} more moments, all of less weight: --format json has them"


def _range(counts: tuple[int, int]) -> str:
    return str(counts[0]) if counts[0] == counts[1] else f"{counts[0]} to {counts[1]}"


def _seconds(wait: float | None) -> str:
    return "-" if wait is None else f"{wait:.1f} s" if wait < 10 else spoken(wait)


def _under(now: str, then: Sequence[str]) -> str:
    if set(then) == {now}:
        return f"all of it happened under this very file ({now})"
    return f"it happened under {', '.join(then)}; this config is {now}"


def _plain(found: Review) -> dict[str, Any]:
    then, now = found.wanted_seconds
    return {
        "pool": found.pool,
        "since": found.since,
        "until": found.until,
        "looks": found.looks,
        "compared": found.compared,
        "differing": found.differing,
        "answer": answer(found),
        "measured": _rounded(found.measured),
        "estimate": {"happened": _rounded(found.estimate.happened), "config": _rounded(found.estimate.config)} if found.estimate else None,
        "open_loop": {"happened_replica_seconds": round(then, 3), "config_replica_seconds": round(now, 3)},
        "moments": [_plain_moment(moment) for moment in found.moments],
        "notes": list(found.notes),
    }


def _rounded(figures: Figures) -> dict[str, Any]:
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in to_plain(figures).items()}


def _plain_moment(moment: Moment) -> dict[str, Any]:
    (least, most), (low, high) = moment.happened, moment.desired
    return {
        "since": moment.since,
        "until": moment.until,
        "looks": moment.looks,
        "happened_min": least,
        "happened_max": most,
        "config_min": low,
        "config_max": high,
        "replica_seconds": round(moment.replica_seconds, 3),
        "happened_reason": moment.happened_reason or None,
        "why": moment.why,
    }
