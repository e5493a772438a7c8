"""What a broker was asked to do, by whom, and how many commands it may be asked for: plain sums and rates, in commands.

`policy/meter.py` folds them from tick to tick; they are kept with the memory, so that a month's total survives a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar

from autoscaler.model.moment import Moment

T = TypeVar("T", "Usage", "Exposure")


def _added(one: T, other: T) -> T:
    """Field by field."""
    return type(one)(*[getattr(one, name) + getattr(other, name) for name in one.__match_args__])


@dataclass(frozen=True, slots=True)
class Usage:
    """Commands by who sent them. Only our own are counted one by one; the others are estimated, and what is left is unexplained."""

    autoscaler: float = 0.0
    flower: float = 0.0
    idle: float = 0.0
    """Workers that wait: polling, heartbeats, sweeps."""
    busy: float = 0.0
    """Workers that work: their tasks, and their starts."""
    unexplained: float = 0.0
    """What the server served beyond that: producers, results, other clients, and what the estimate missed."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.autoscaler + self.flower + self.idle + self.busy + self.unexplained

    def __add__(self, other: Usage) -> Usage:
        return _added(self, other)

    def __mul__(self, factor: float) -> Usage:
        return Usage(*[factor * getattr(self, name) for name in SENDERS])


SENDERS = tuple(field.name for field in fields(Usage))
"""Values of the label `by`."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """How much there was of what costs commands; also, with the same names, what one unit of each costs."""

    flower: float = 0.0
    """Seconds that Flower was connected."""
    idle: float = 0.0
    """Seconds of workers that ran nothing."""
    busy: float = 0.0
    """Seconds of workers that ran something."""
    tasks: float = 0.0
    starts: float = 0.0

    def __add__(self, other: Exposure) -> Exposure:
        return _added(self, other)


USUAL = Exposure(flower=0.26, idle=1.77, busy=1.77, tasks=10.0, starts=125.0)
"""Commands per second, task and start of Flower and a worker with default flags, measured; where learning begins."""


@dataclass(frozen=True, slots=True)
class Served:
    """The server's own counter, as once read."""

    commands: int
    """Commands that it has processed since its start."""
    run: str
    """Which start of the server that is."""
    at: Moment

    def is_another(self, old: Served | None) -> bool:
        """Whether it was read again since: even the question counts as a command."""
        return old is None or (old.commands, old.run) != (self.commands, self.run)


@dataclass(frozen=True, slots=True)
class Budget:
    """Commands that may be used in a period."""

    commands: int
    period: str
    """`day` or `month`, of UTC, as providers count."""
    stops: bool = False
    """When it is spent nothing is started any more; otherwise work goes on, and only what can be spared is."""


@dataclass(frozen=True, slots=True)
class Account:
    """How a budget stands at one moment."""

    budget: Budget
    used: float
    projected: float
    """At the end of the period, if the last day's average goes on."""
    ends_at: float
    runs_out_at: float | None
    """None: it will last."""
    stage: float
    """The highest of the shares at which somebody is told that is reached; 0 below all of them."""

    @property
    def ratio(self) -> float:
        """The share that is used; may be more than 1."""
        return self.used / self.budget.commands

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self.used >= self.budget.commands

    @property
    def breaks(self) -> bool:
        """Whether it will not last."""
        return self.projected > self.budget.commands


@dataclass(frozen=True, slots=True)
class Purse:
    """What a budget asks of the decisions about one lane."""

    keep_seconds: float | None = None
    """An idle worker is kept no longer than this; None: no need to save."""
    spent: bool = False
    """Used up, and the operator wants everything to stop then."""
    words: str = ""


FREE = Purse()
"""No budget, or one that will last."""


@dataclass(frozen=True, slots=True)
class Period:
    """The sums of one day or month."""

    name: str = ""
    """`2026-11-21` or `2026-11`; empty before the first tick."""
    used: Usage = Usage()
    saved: float = 0.0
    """Commands that one idle worker per pool would have sent while the pool had none."""

    def during(self, name: str) -> Period:
        """The sums of the period of this name: those of one that is over are none of it."""
        return self if self.name == name else Period(name)


@dataclass(frozen=True, slots=True)
class Meter:
    """What is known of one broker's use."""

    at: Moment | None = None
    """Time of the last tick; None before the first, and after a restart."""
    sent: int = 0
    """Our own commands since our start, as last seen."""
    served: Served | None = None
    day: Period = Period()
    month: Period = Period()
    ever: Usage = Usage()
    """Never falls: for counters. An estimate that was too high is made good by what is added less later (`owed`)."""
    owed: Usage = Usage()
    per_second: Usage = Usage()
    """How fast it is used now."""
    pace: tuple[float, float] = (0.0, 0.0)
    """(commands, seconds), both forgotten over a day: their quotient is the average that projections use."""
    since_read: Exposure = Exposure()
    """Since the server's counter was last read."""
    booked: Usage = Usage()
    """Estimates that were entered since then."""
    whole: bool = False
    """Whether nothing was missed since then, so that the reading may teach something."""
    evidence: tuple[float, ...] = ()
    """What the readings so far say of the costs, as normal equations: the upper triangle row by row, then the right side."""
    costs: Exposure = USUAL
    """Commands per second of Flower, idle and busy workers, per task and per start, as learned."""
    learned: tuple[str, ...] = ()
    """Names of those that are measured here; the others are usual values."""

    @property
    def commands_per_second(self) -> float:
        """The average of the last day, or of as long as there is."""
        commands, seconds = self.pace
        return commands / seconds if seconds > 0 else 0.0
