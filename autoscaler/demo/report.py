"""What the demo measured: from Celery's results, from the daemon's journal and from its metrics.

`play.py` takes the measurements while everything still runs, and prints them when everything is gone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from autoscaler.demo.burst import Burst


@dataclass(frozen=True, slots=True)
class Report:
    """The demo in numbers."""

    sent: int
    done: int
    lost: int
    """Tasks that came to no good end."""
    interrupted: int
    """Tasks that a worker began and did not end, as Celery's results or the daemon tell; the larger number."""
    peak: int
    """The most workers at one time, in the journal."""
    final: int
    """Workers that the daemon still had at the end."""
    first_start_seconds: float
    """From the first task sent, with no worker running, to the first task begun."""
    wait_p95_seconds: float
    """How long 95 of 100 tasks waited at most between sending and their start."""

    @property
    def is_good(self) -> bool:
        """Whether scaling cost nothing and left nothing behind."""
        return self.done == self.sent and self.lost == self.interrupted == self.final == 0

    def line(self) -> str:
        """The last line of the demo, for programs."""
        return (
            f"demo: sent={self.sent} done={self.done} lost={self.lost} interrupted={self.interrupted} peak={self.peak} "
            f"final={self.final} first_start_s={self.first_start_seconds:.2f} wait_p95_s={self.wait_p95_seconds:.2f}"
        )

    def words(self) -> tuple[str, ...]:
        """The same for people."""
        return (
            f"{self.done} of {self.sent} tasks done, {self.lost} lost, {self.interrupted} interrupted",
            f"workers: none at first, {self.peak} at the most, {self.final} at the end",
            f"the first task began {self.first_start_seconds:.1f} s after it was sent, when no worker was running",
            f"95 of 100 tasks waited {self.wait_p95_seconds:.1f} s or less",
        )


def measure(bursts: Sequence[Burst], ticks: Mapping[str, Iterable[Mapping[str, Any]]], metrics: str, final: int) -> Report:
    """Put the measurements together."""
    sent, done = sum(len(burst.sent) for burst in bursts), sum(burst.done for burst in bursts)
    first = next((burst for burst in bursts if burst.sent_at is not None), None)
    return Report(
        sent=sent,
        done=done,
        lost=sent - done,
        interrupted=max(sum(len(burst.begun) for burst in bursts), interrupted_tasks(metrics)),
        peak=peak(ticks),
        final=final,
        first_start_seconds=first.first_start - first.sent_at if first and first.first_start and first.sent_at else math.nan,
        wait_p95_seconds=percentile([wait for burst in bursts for wait in burst.waits.values()], 95),
    )


def peak(ticks: Mapping[str, Iterable[Mapping[str, Any]]]) -> int:
    """The most workers of all pools at one moment, booting and leaving ones included; between its rows a pool stays as it was.

    >>> peak({"a": [{"at": 1.0, "ready": 2, "starting": 1, "draining": 0}], "b": [{"at": 1.5, "ready": 1, "starting": 0, "draining": 1}]})
    5
    """
    most, latest = 0, dict.fromkeys(ticks, 0)
    rows = sorted((row["at"], pool, row["ready"] + row["starting"] + row["draining"]) for pool, found in ticks.items() for row in found)
    for _, at_once in groupby(rows, key=itemgetter(0)):
        latest.update((pool, workers) for _, pool, workers in at_once)
        most = max(most, sum(latest.values()))
    return most


def percentile(values: Iterable[float], percent: int) -> float:
    """The smallest value that so many of 100 do not exceed; nan when there are none.

    >>> percentile([3.0, 1.0, 2.0, 4.0], 50)
    2.0
    """
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) * percent / 100) - 1] if ordered else math.nan


def interrupted_tasks(metrics: str) -> int:
    """The daemon's own count of running tasks that a kill cut off, over all pools."""
    families = text_string_to_metric_families(metrics)
    samples = (sample for family in families for sample in family.samples)
    return int(sum(sample.value for sample in samples if sample.name == "autoscaler_tasks_interrupted_total"))
