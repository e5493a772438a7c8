"""What the operator wants: the part of the settings that decisions are made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autoscaler.model.brokers import HOME, lane_key
from autoscaler.model.host import NO_NEED, Need
from autoscaler.model.spending import Budget


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Sizing by two numbers: how many may wait before replicas are added, and for how long."""

    up: int = 0
    max_wait_seconds: float = 15.0
    down: int = 0


@dataclass(frozen=True, slots=True)
class TargetWait:
    """Sizing by a promise: every task starts within so many seconds of its arrival."""

    seconds: float


@dataclass(frozen=True, slots=True)
class BacklogPerReplica:
    """Sizing as KEDA users know it: so many waiting tasks for each replica."""

    tasks: float
    tolerance: float = 0.1
    """No change while the backlog per replica is this close to the target, as a share of it."""


Sizing = Thresholds | TargetWait | BacklogPerReplica


@dataclass(frozen=True, slots=True)
class Damping:
    """How one direction is slowed down."""

    max_step: int | None = None
    """Replicas per period, None for no limit."""
    max_step_percent: float | None = None
    """The same as a share of the count at the period's beginning, at least one replica."""
    period_seconds: float = 0.0
    """What `max_step` counts over; 0 for a single decision."""
    cooldown_seconds: float = 0.0
    stabilization_seconds: float | None = None
    """None: automatic, some times start + stop, by the way of sizing (`policy.stabilization`)."""


@dataclass(frozen=True, slots=True)
class PoolPolicy:
    """What the policy needs to know about one pool."""

    name: str
    queues: tuple[str, ...]
    replicas_min: int
    replicas_max: int
    slots: int
    sizing: Sizing = Thresholds()
    spare: int = 0
    """Idle replicas kept ready while there is any work."""
    scale_up: Damping = Damping(stabilization_seconds=0.0)
    scale_down: Damping = Damping(max_step_percent=100.0)
    start_timeout_seconds: float = 60.0
    drain_timeout_seconds: float = 1800.0
    kill_on_drain_timeout: bool = False
    visibility_timeout_seconds: float | None = None
    """After this long the broker gives a task that is not acknowledged to a second worker; None where it never does."""
    spec: str = ""
    """Hash of the worker spec that new replicas are started from; empty where it is not known, and then nobody is out of date."""
    schedule: str = ""
    """Which schedule has set the bounds at this moment, in words; empty outside of all schedules."""
    removed: bool = False
    """True for a pool that has workers and no longer stands in the file: it is drained."""
    broker: str = HOME
    """The lane that this is the policy of: whose queues are read and for which broker workers are started."""
    standing: bool = False
    """A lane of a broker that is not active: no minimum is kept there."""
    priority: int = 0
    """Who comes first where there is not room for all: the higher."""
    need: Need = NO_NEED
    """What one more replica may take of the host."""

    @property
    def may_wait_seconds(self) -> float:
        """How long a task may wait by the promise of the sizing; 0 where none is made in seconds."""
        return self.sizing.seconds if isinstance(self.sizing, TargetWait) else 0.0

    @property
    def key(self) -> str:
        """The name of the lane, under which it is remembered."""
        return lane_key(self.name, self.broker)


@dataclass(frozen=True, slots=True)
class Policies:
    """The part of the settings that decisions are made with."""

    instance: str
    interval_seconds: float
    max_replicas: int
    pools: Mapping[str, PoolPolicy]
    config_hash: str = ""
    brokers: tuple[str, ...] = ()
    """The usable brokers by rank; workers are started for the first that serves."""
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    """Commands that may be used, of the brokers that count them."""
    wakes: bool = False
    """Producers have a token to wake pools with."""
    idle_interval_seconds: float | None = None
    """How often to look while every pool is idle; None: as often as ever, or as a budget asks."""
