"""All rivals by name, each with the mechanics of its platform; `name+drain` is the same one with ours.

Those that have one row only either take away idle workers anyway (Dask), or nobody at all (fixed).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from autoscaler.sim.arrivals import Trace
from autoscaler.sim.rivals.aws import TargetTracking, acceptable_backlog
from autoscaler.sim.rivals.dask import Dask
from autoscaler.sim.rivals.fixed import Fixed, at_mean, at_peak
from autoscaler.sim.rivals.keda import Keda
from autoscaler.sim.rivals.knative import Knative
from autoscaler.sim.rivals.latency import hirefire, judoscale
from autoscaler.sim.rivals.mechanics import DOCKER, ECS, HEROKU, KNATIVE, KUBERNETES, OURS, Mechanics
from autoscaler.sim.rivals.rival import Rival
from autoscaler.sim.rivals.step import Stepper

DRAIN = "+drain"


@dataclass(frozen=True, slots=True)
class Entry:
    """One rival as it takes part."""

    name: str
    make: Callable[[Trace, int], Rival]
    """A fresh one, for this trace and so many slots."""
    mechanics: Mechanics
    about: str
    """Its settings, in a line; `docs/simulate.md` has the same words."""


def _keda_unacked(polling_seconds: float, down_seconds: float) -> Callable[[Trace, int], Rival]:
    return lambda _, slots: Keda(slots, counts_running=True, polling_seconds=polling_seconds, down_seconds=down_seconds)


_NATIVE = (
    Entry("keda_default", lambda *_: Keda(), KUBERNETES, "as installed: polls every 30 s, 5 waiting tasks for each replica, 300 s down"),
    Entry("keda_unacked", _keda_unacked(30.0, 300.0), KUBERNETES, "the same, counting what runs too, one for each slot"),
    Entry("keda_tuned", _keda_unacked(5.0, 60.0), KUBERNETES, "polls every 5 s, counts what runs too, one for each slot, 60 s down"),
    Entry(
        "keda_tuned_w1",
        lambda *_: Keda(per_replica=1.0, polling_seconds=5.0, down_seconds=60.0),
        KUBERNETES,
        "polls every 5 s, 1 waiting task for each replica, 60 s down",
    ),
    Entry("knative", lambda *_: Knative(), KNATIVE, "70 % of the slots over 60 s, or over 6 s in panic"),
    Entry("hirefire", lambda *_: hirefire(), HEROKU, "every 60 s: latency over 30 s one more, under 5 s one less"),
    Entry("judoscale", lambda *_: judoscale(), HEROKU, "latency over 10 s one more a minute, under 2 s for 10 min one less"),
    Entry(
        "aws_backlog",
        lambda trace, slots: TargetTracking(acceptable_backlog(trace.work_seconds / len(trace), slots)),
        ECS,
        "target tracking: a backlog per worker that takes 30 s",
    ),
    Entry("step_default", lambda *_: Stepper(), DOCKER, "every 10 s: over 10 waiting one more, under 2 one less, 60 s pause"),
    Entry("step_tuned", lambda *_: Stepper(5.0, 0, 1, 15.0), DOCKER, "every 5 s: any waiting one more, none one less, 15 s pause"),
)
_ALONE = (
    Entry("dask_adaptive", lambda *_: Dask(), OURS, "every second: the expected work in 5 s; closes idle workers only"),
    Entry("fixed_at_peak", lambda trace, slots: Fixed(at_peak(trace, slots)), OURS, "no autoscaling: as many as the peak needs"),
    Entry("fixed_at_mean", lambda trace, slots: Fixed(at_mean(trace, slots)), OURS, "no autoscaling: as many as needed on average"),
)


def _all() -> Iterator[Entry]:
    for entry in _NATIVE:
        yield entry
        yield Entry(entry.name + DRAIN, entry.make, OURS, f"{entry.name} with our drains: idle ones first, nobody killed")
    yield from _ALONE


CATALOG: dict[str, Entry] = {entry.name: entry for entry in _all()}
