"""The course of a run: the quota ends and is renewed, as often as is asked for; what was measured, and what became of every task."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from live import until

from .parts import FALLBACK, PRIMARY, Sample, TwoBrokers

COMMANDS_LEFT = 40
"""Passed on before the quota ends: it ends in the midst of things."""
PATIENCE_SECONDS = 420.0


@dataclass(frozen=True)
class Round:
    """One end of the quota, in seconds."""

    outage: float
    """From the first refusal to the renewal."""
    active: float
    """From the first refusal until the daemon calls the fallback active."""
    worker: float
    """... until the fallback has a worker."""
    task: float
    """... until the first task that the fallback accepted is done."""
    stranded: float | None
    """From the renewal until the first task is done that the primary had accepted before; None where there was none."""
    new: float
    """From the renewal until the first task is done that the primary accepted since."""
    back: float
    """From the renewal until the primary is active again."""
    probes: int
    """Commands by which the daemon has asked the spent primary."""


@dataclass(frozen=True)
class Findings:
    """What came of a run."""

    rounds: tuple[Round, ...]
    accepted: Counter[str]
    """Tasks by the broker that took them."""
    executions: Counter[int]
    """How often tasks ran to their end -> how many tasks did."""
    lost: tuple[int, ...]
    """Accepted, and never run."""
    refused_by_all: int
    seconds: float


def run(
    house: TwoBrokers, outages: Iterable[float], *, every_seconds: float, runtime: float, with_publish: bool = False
) -> Findings:
    """The producer is started here, all else is there; `with_publish`: the quota ends with a publish, not anywhere."""
    began = time.time()
    house.begin(every_seconds, runtime)
    rounds = tuple([_round(house, outage, with_publish=with_publish) for outage in outages])
    house.rest()
    accepted = dict(house.accepted)
    _patiently(lambda: set(house.traces("finished")) >= set(accepted))
    done = house.traces("finished")
    lost = tuple(sorted(set(accepted) - set(done)))
    by_broker = Counter(each.broker for each in accepted.values())
    return Findings(rounds, by_broker, Counter(done.values()), lost, house.refused_by_all, time.time() - began)


def _round(house: TwoBrokers, outage: float, *, with_publish: bool) -> Round:
    """The quota ends while the primary is active and works, and is renewed after so many seconds."""
    since = time.time()
    until(lambda: _active(house) == PRIMARY and _first_done(house, PRIMARY, since) is not None, PATIENCE_SECONDS)
    asked = house.probes()
    house.proxy.end_after(COMMANDS_LEFT, with_publish=with_publish)
    until(lambda: house.proxy.refused_at is not None, 30)
    refused = house.proxy.refused_at or 0.0
    until(lambda: _active(house) == FALLBACK and _first_done(house, FALLBACK, refused) is not None, 60)
    time.sleep(max(0.0, refused + outage - time.time()))
    probes = house.probes() - asked
    open_before = {n for n, each in house.accepted.items() if each.broker == PRIMARY} - set(house.traces("finished"))
    house.proxy.renew()
    renewed = time.time()
    until(lambda: _active(house) == PRIMARY and _first_done(house, PRIMARY, renewed) is not None, PATIENCE_SECONDS)
    _patiently(lambda: open_before <= set(house.traces("finished")))
    ends = _ends(house)
    return Round(
        outage=renewed - refused,
        active=_seen(house, refused, lambda sample: sample.active == FALLBACK),
        worker=_seen(house, refused, lambda sample: FALLBACK in sample.worked),
        task=(_first_done(house, FALLBACK, refused) or 0.0) - refused,
        stranded=min((ends[n] for n in open_before), default=renewed) - renewed if open_before else None,
        new=(_first_done(house, PRIMARY, renewed) or 0.0) - renewed,
        back=_seen(house, renewed, lambda sample: sample.active == PRIMARY),
        probes=probes,
    )


def _active(house: TwoBrokers) -> str:
    return house.samples[-1].active if house.samples else ""


def _seen(house: TwoBrokers, since: float, true: Callable[[Sample], bool]) -> float:
    """Seconds until this was first the case."""
    return next(sample.at for sample in house.samples if sample.at >= since and true(sample)) - since


def _first_done(house: TwoBrokers, broker: str, since: float) -> float | None:
    """When the first of the tasks ended that this broker has accepted since then."""
    ends = _ends(house)
    return min((ends[n] for n, each in [*house.accepted.items()] if each.broker == broker and each.at >= since and n in ends), default=None)


def _ends(house: TwoBrokers) -> dict[int, float]:
    """When each task ended for the first time."""
    lines = (json.loads(line) for line in house.redis.lrange("finished", 0, -1))
    first: dict[int, float] = {}
    for number, at, _ in lines:
        first.setdefault(number, at)
    return first


def _patiently(true: Callable[[], bool]) -> None:
    """Wait for it, and go on where it does not come: that is a finding, too."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not true() and time.monotonic() < end:
        time.sleep(0.1)
