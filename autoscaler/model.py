"""The nouns. Frozen values that flow one way: Observation -> Decision -> Outcome(s) -> Record -> Memory.

Nothing here reads a clock, a file or a socket. Times are wall-clock seconds since the epoch, read once per tick;
durations are seconds; counts are whole numbers. What could not be seen is a type (`Unknown`), never a zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")

# ---------------------------------------------------------------- what was seen


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """A value that a source gave, fresh enough to act on."""

    value: T
    at: float
    source: str


@dataclass(frozen=True, slots=True)
class Stale(Generic[T]):
    """The last value a source gave, too old or too doubtful to act on; shown, never decided on."""

    value: T
    at: float
    source: str
    why: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No source gives this value, and why."""

    why: str
    source: str = ""


Reading = Known[T] | Stale[T] | Unknown
"""Known, stale or unknown: `match` on it, there is no default value."""


@dataclass(frozen=True, slots=True)
class QueueSight:
    """One configured queue in one look."""

    queue: str
    waiting: Reading[int]
    """Messages in the queue's list(s), not yet given to a worker."""
    unacked: Reading[int] = Unknown("no broker is read directly")
    """Messages given to a worker and not acknowledged: prefetched, ETA, late-acked or left behind by a killed worker."""


@dataclass(frozen=True, slots=True)
class WorkerSight:
    """What the sources say about one Celery worker, joined to a container by its node name."""

    name: str
    """Celery node name, `celery@<container name>`."""
    online: Reading[bool]
    running: Reading[int]
    reserved: Reading[int]
    """Prefetched and not started: these cannot move to another worker until this one leaves."""
    scheduled: Reading[int]
    """ETA or countdown tasks held in the worker's memory."""
    draining: Reading[bool]
    slots: Reading[int]
    started: Reading[int]
    """Tasks started since the worker's start (a counter)."""
    finished: Reading[int]


class ContainerState(StrEnum):
    """How the fleet sees a worker container (or process)."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class Container:
    """One worker container that carries this instance's labels, as one list call shows it."""

    id: str
    name: str
    pool: str
    state: ContainerState
    created_at: float
    spec: str
    """Hash of the worker spec that it was started with."""
    exit_code: int | None = None
    metrics: str | None = None
    """`host:port` of the worker's own /metrics page, None where it has none."""

    @property
    def worker(self) -> str:
        """The Celery node name that this container was given."""
        return f"celery@{self.name}"


@dataclass(frozen=True, slots=True)
class SourceSight:
    """How one source answered in this look, for status and metrics."""

    name: str
    up: bool
    detail: str
    """In words what is wrong and what to do; empty when up."""
    seconds: float
    at: float
    """When the newest answer that is used was asked for."""


@dataclass(frozen=True, slots=True)
class Observation:
    """All that was seen in one look, with its gaps."""

    at: float
    queues: Mapping[str, QueueSight]
    workers: Mapping[str, WorkerSight]
    containers: Reading[tuple[Container, ...]]
    sources: tuple[SourceSight, ...] = ()


# ---------------------------------------------------------------- what the operator wants


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Sizing by two numbers: how many may wait before replicas are added, and for how long."""

    up: int = 0
    max_wait_seconds: float = 15.0
    down: int = 0


@dataclass(frozen=True, slots=True)
class Damping:
    """How one direction is slowed down."""

    max_step: int | None = None
    """Replicas per decision, None for no limit."""
    max_step_percent: float | None = None
    """The same as a share of the current count, at least one replica."""
    cooldown_seconds: float = 0.0
    stabilization_seconds: float | None = None
    """None: automatic, three times start + stop, at least 10 s."""


@dataclass(frozen=True, slots=True)
class PoolPolicy:
    """What the policy needs to know about one pool."""

    name: str
    queues: tuple[str, ...]
    replicas_min: int
    replicas_max: int
    slots: int
    thresholds: Thresholds = Thresholds()
    scale_up: Damping = Damping(stabilization_seconds=0.0)
    scale_down: Damping = Damping(max_step_percent=100.0)
    start_timeout_seconds: float = 60.0
    drain_timeout_seconds: float = 1800.0
    kill_on_drain_timeout: bool = False
    removed: bool = False
    """True for a pool that has workers and no longer stands in the file: it is drained."""


@dataclass(frozen=True, slots=True)
class Policies:
    """The part of the settings that decisions are made with."""

    instance: str
    interval_seconds: float
    max_replicas: int
    pools: Mapping[str, PoolPolicy]
    config_hash: str = ""


# ---------------------------------------------------------------- what a pool looks like


class Phase(StrEnum):
    """The life of a replica.

    starting --(first voice)--> ready --(drain)--> draining --(exit)--> stopping --(removed)
        \\--(start timeout)--> lost          ready --(voice gone)--> lost --(voice back)--> ready
    """

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPING = "stopping"
    LOST = "lost"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Replica:
    """A container and the Celery worker in it; the thing that is counted."""

    name: str
    container_id: str
    phase: Phase
    since: float
    """When the container was created, or its drain began."""
    slots: int
    running: int | None
    """None: nobody can say, so it counts as fully busy when shrinking and as idle when growing."""
    reserved: int = 0
    scheduled: int = 0

    @property
    def is_idle(self) -> bool:
        """Surely idle: nothing running, prefetched or scheduled, and somebody said so."""
        return self.running == 0 and self.reserved == 0 and self.scheduled == 0


@dataclass(frozen=True, slots=True)
class PoolView:
    """One pool in one look: containers joined with workers and queues."""

    pool: str
    queues: tuple[QueueSight, ...]
    waiting: int
    """Tasks known to wait: the sum over the queues that could be seen."""
    leftover: int
    """Unacknowledged messages that no living worker holds: left behind by a killed one."""
    replicas: tuple[Replica, ...]
    exited: tuple[Container, ...]
    """Containers that ended or never started, to be recorded and removed."""
    oldest_wait_seconds: float
    """Upper bound on the wait of the oldest task: how long the queues have not been empty."""
    blind: tuple[str, ...]
    """Why this pool must not be scaled down, in words; empty when all was seen."""
    fleet_seen: bool = True
    """False: the containers themselves could not be listed, so nothing may be done."""

    def of(self, *phases: Phase) -> tuple[Replica, ...]:
        """The replicas in these phases."""
        return tuple(r for r in self.replicas if r.phase in phases)

    @property
    def current(self) -> int:
        """Replicas that serve or will: starting, ready and lost; draining ones are on their way out."""
        return len(self.of(Phase.STARTING, Phase.READY, Phase.LOST))

    @property
    def slots(self) -> int:
        """Tasks that the present replicas can run at once."""
        return sum(r.slots for r in self.of(Phase.STARTING, Phase.READY))

    @property
    def busy(self) -> int:
        """Slots that are known to be in use on replicas that stay."""
        return sum(min(r.slots, r.running + r.reserved) for r in self.of(Phase.READY) if r.running is not None)


# ---------------------------------------------------------------- what was decided


class ActionKind(StrEnum):
    """What can be done to a worker container."""

    START = "start"
    DRAIN = "drain"
    KILL = "kill"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do to one replica, and why this one."""

    kind: ActionKind
    pool: str
    replica: str
    container_id: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One adjustment of the count on its way from raw demand to the final number."""

    rule: str
    before: int
    after: int
    reason: str
    because: str


@dataclass(frozen=True, slots=True)
class PoolDecision:
    """What one pool should have, and every step that led there."""

    pool: str
    view: PoolView
    current: int
    recommended: int
    """Before damping; this is what enters the stabilization window."""
    desired: int
    steps: tuple[Step, ...]
    actions: tuple[Action, ...]

    @property
    def reason(self) -> str:
        """The reason code that tells best why the count is what it is: the last step that changed it, else the first."""
        changed = [step for step in self.steps if step.before != step.after]
        return (changed or list(self.steps[:1]))[-1].reason

    @property
    def direction(self) -> str:
        """`up`, `down` or `none`."""
        return "up" if self.desired > self.current else "down" if self.desired < self.current else "none"


@dataclass(frozen=True, slots=True)
class Decision:
    """All pools in one tick."""

    at: float
    pools: tuple[PoolDecision, ...]

    @property
    def actions(self) -> tuple[Action, ...]:
        """Everything to do, in the order of the pools."""
        return tuple(action for pool in self.pools for action in pool.actions)


# ---------------------------------------------------------------- what came of it


class Result(StrEnum):
    """How an action ended."""

    DONE = "done"
    NOTHING_TO_DO = "nothing_to_do"
    FAILED = "failed"
    PENDING = "pending"
    """Not answered yet; the outcome comes with a later tick."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended, read before it was removed."""

    code: int | None
    oom: bool = False
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one action."""

    action: Action
    result: Result
    at: float
    seconds: float = 0.0
    detail: str = ""
    exit: Exit | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One tick's whole story; logs, metrics, journal, API and page are renderings of it."""

    at: float
    config_hash: str
    observation: Observation
    decision: Decision
    outcomes: tuple[Outcome, ...]


# ---------------------------------------------------------------- what is remembered


@dataclass(frozen=True, slots=True)
class Drain:
    """A replica that was told to finish and leave."""

    replica: str
    since: float
    because: str
    was_idle: bool = False
    """It had nothing to finish, so its exit shows how long a stop takes."""
    killed: bool = False


@dataclass(frozen=True, slots=True)
class PoolMemory:
    """What one pool must know from earlier ticks; every tuple is bounded."""

    recommendations: tuple[tuple[float, int], ...] = ()
    """(time, replicas recommended), equal neighbours merged: the stabilization window."""
    last_up: float | None = None
    last_down: float | None = None
    waiting_since: float | None = None
    """Since when the queues have not been seen empty."""
    drains: tuple[Drain, ...] = ()
    ready: tuple[str, ...] = ()
    """Names of living replicas that have been heard at least once."""
    starting: tuple[str, ...] = ()
    """Names of replicas that were seen before they were first heard: their boot can be timed."""
    pending: tuple[tuple[str, float], ...] = ()
    """(name, time) of starts that were ordered and are not in the list of containers yet."""
    failures: int = 0
    """Workers that ended badly in a row."""
    backoff_until: float = 0.0
    boot_seconds: float = 3.0
    """Learned: creation to first voice, slow to fall and quick to rise."""
    stop_seconds: float = 1.0
    desired: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What is carried from tick to tick, and in the journal across restarts."""

    pools: Mapping[str, PoolMemory] = field(default_factory=dict)

    def of(self, pool: str) -> PoolMemory:
        """The memory of one pool, empty when it is new."""
        return self.pools.get(pool, PoolMemory())
