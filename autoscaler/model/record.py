"""What was decided, what came of it, and what is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from autoscaler.model.brokers import HOME, NO_BROKER, BrokerChoice, BrokerTrack, lane_key
from autoscaler.model.failure import Failure
from autoscaler.model.health import Health
from autoscaler.model.lean import lean
from autoscaler.model.moment import Moment
from autoscaler.model.pool import Flow, PoolView
from autoscaler.model.sight import Observation
from autoscaler.model.spending import Account, Meter


class ActionKind(StrEnum):
    """What can be done to a worker container."""

    START = "start"
    DRAIN = "drain"
    KILL = "kill"
    REMOVE = "remove"


@lean
@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do to one replica, and why this one."""

    kind: ActionKind
    pool: str
    replica: str
    container_id: str = ""
    because: str = ""
    last_words: bool = False
    """Whether its last log lines are wanted with the answer: they say why it never came to work."""
    broker: str = HOME
    """The lane: of a start, the broker that the worker is to serve."""


@lean
@dataclass(frozen=True, slots=True)
class Step:
    """One adjustment of the count on its way from raw demand to the final number."""

    rule: str
    before: int
    after: int
    reason: str
    because: str


@lean
@dataclass(frozen=True, slots=True)
class PoolDecision:
    """What one pool should have, and every step that led there."""

    pool: str
    view: PoolView
    current: int
    recommended: int
    """Before damping."""
    desired: int
    steps: tuple[Step, ...]
    actions: tuple[Action, ...]
    needed: int = 0
    """What of the recommendation was put to use; this is what enters the stabilization window for scaling down."""
    broker: str = HOME
    lanes: tuple[PoolDecision, ...] = ()
    """What was decided for each broker, where the pool has something on several; this is their sum."""

    @property
    def key(self) -> str:
        """The name under which a lane is remembered."""
        return lane_key(self.pool, self.broker)

    @property
    def reason(self) -> str:
        """The reason code that tells best why the count is what it is: the last step that changed it, else the first."""
        changed = [step for step in self.steps if step.before != step.after]
        return (changed or list(self.steps[:1]))[-1].reason

    @property
    def direction(self) -> str:
        """`up`, `down` or `none`."""
        return "up" if self.desired > self.current else "down" if self.desired < self.current else "none"


@lean
@dataclass(frozen=True, slots=True)
class Decision:
    """All pools in one tick."""

    at: float
    pools: tuple[PoolDecision, ...]
    brokers: BrokerChoice = NO_BROKER
    books: Mapping[str, Account] = field(default_factory=dict)
    """How the budget of each broker that has one stood when this was decided."""

    @property
    def lanes(self) -> tuple[PoolDecision, ...]:
        """What was decided one by one: the parts of pools on several brokers, and all others whole."""
        return tuple([lane for pool in self.pools for lane in pool.lanes or (pool,)])

    @property
    def actions(self) -> tuple[Action, ...]:
        """Everything to do, in the order of the pools."""
        return tuple([action for pool in self.pools for action in pool.actions])


class Result(StrEnum):
    """How an action ended."""

    DONE = "done"
    NOTHING_TO_DO = "nothing_to_do"
    FAILED = "failed"
    PENDING = "pending"
    """Not answered yet; the outcome comes with a later tick."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended, read before it was removed; of one that still runs only its last words."""

    code: int | None
    oom: bool = False
    log_tail: tuple[str, ...] = ()


@lean
@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one action."""

    action: Action
    result: Result
    at: float
    seconds: float = 0.0
    detail: str = ""
    exit: Exit | None = None
    failure: Failure | None = None
    """Why a start was refused; how a worker failed otherwise shows in its end."""
    interrupted: tuple[str, ...] = ()
    """Ids of the tasks that a kill cut off, as far as they are known."""


@lean
@dataclass(frozen=True, slots=True)
class Record:
    """One tick's whole story; logs, metrics, journal, API and page are renderings of it."""

    at: float
    config_hash: str
    observation: Observation
    decision: Decision
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Drain:
    """A replica that was told to finish and leave."""

    replica: str
    since: Moment
    because: str
    was_idle: bool = False
    """It had nothing to finish, so its exit shows how long a stop takes."""
    sent: bool = True
    """The signal is known to have been sent; otherwise it is sent again, which does no harm."""
    killed: bool = False
    started: int | None = None
    """Tasks that it had begun when it was told, None where nobody counts them."""
    signals: int = 0
    """How often the signal is known to have been sent."""
    told_at: Moment | None = None
    """When it was first known to have been: the time of `drain.timeout` counts from here."""
    defiant_since: Moment | None = None
    """Since when the worker has been heard as if nothing had been said to it."""


@dataclass(frozen=True, slots=True)
class BrokerFault:
    """The pool's workers end because a broker turns them away: the next start waits for it."""

    health: Health
    until: Moment
    """When one start may be tried all the same."""
    times: int = 1
    seen_down: bool = False
    """A look at it since then has shown that it does not serve, so its recovery will be seen, too."""


@lean
@dataclass(frozen=True, slots=True)
class PoolMemory:
    """What one pool must know from earlier ticks; every tuple is bounded."""

    recommendations: tuple[tuple[Moment, int], ...] = ()
    """(time, replicas recommended), equal neighbours merged: the stabilization window for scaling up."""
    needs: tuple[tuple[Moment, int], ...] = ()
    """(time, replicas needed) likewise: the one for scaling down."""
    watched_since: Moment | None = None
    """Since when every look has seen what the pool does; None where the last one did not."""
    last_up: Moment | None = None
    last_down: Moment | None = None
    changes: tuple[tuple[Moment, int], ...] = ()
    """(time, replicas added or, below zero, told to leave) of the last half hour, for `max_step` over a period."""
    waiting_since: Moment | None = None
    """Since when the queues have not been seen empty."""
    drains: tuple[Drain, ...] = ()
    ready: tuple[str, ...] = ()
    """Names of living replicas that have been heard at least once."""
    idle: tuple[str, ...] = ()
    """Names of ready replicas that were surely idle in the last look."""
    none_idle_since: Moment | None = None
    """Since when fewer replicas would do and an idle one is waited for."""
    starting: tuple[str, ...] = ()
    """Names of replicas that were seen before they were first heard: their boot can be timed."""
    silent: tuple[tuple[str, Moment], ...] = ()
    """(name, time since when) of replicas that are said to be offline."""
    ended: tuple[str, ...] = ()
    """Names of replicas whose containers have ended and are not removed yet."""
    fell: tuple[str, ...] = ()
    """Those of them that ended while the engine could not be seen, with all others of their pool."""
    pending: tuple[tuple[str, Moment], ...] = ()
    """(name, time) of starts that were ordered and are not in the list of containers yet."""
    failures: int = 0
    """Workers that ended badly in a row."""
    backoff_until: Moment = 0.0
    broker_fault: BrokerFault | None = None
    flow: Flow = Flow()
    boot_seconds: float = 3.0
    """Learned: creation to first voice, slow to fall and quick to rise."""
    stop_seconds: float = 1.0
    desired: int | None = None
    looked_at: Moment | None = None
    """When the pool's containers were last seen."""
    audible: bool = False
    """A worker of this pool has been heard, so another would be heard, too."""
    unheard: tuple[tuple[str, float], ...] = ()
    """(name, seconds) of replicas that were never heard: how long they would have been."""
    depth: tuple[int, int] | None = None
    """(waiting, unacknowledged) tasks of the last look; None where a queue could not be seen."""
    serial: int = 0
    """The highest number in a name that was seen or given; new names count on from it."""
    untouched_since: Moment | None = None
    """Since when nobody was seen to take a task from the pool's queues; None while they cannot be seen."""
    woken_at: Moment | None = None
    """When a wake for this pool last stood."""


NOTHING_REMEMBERED = PoolMemory()


@lean
@dataclass(frozen=True, slots=True)
class Memory:
    """What is carried from tick to tick, and in the journal across restarts."""

    pools: Mapping[str, PoolMemory] = field(default_factory=dict)
    """By lane."""
    active_broker: str = ""
    brokers: Mapping[str, BrokerTrack] = field(default_factory=dict)
    meters: Mapping[str, Meter] = field(default_factory=dict)
    """What each broker was used for."""

    def of(self, pool: str) -> PoolMemory:
        """The memory of one pool, empty when it is new."""
        return self.pools.get(pool) or NOTHING_REMEMBERED

    def of_lanes(self, pool: str) -> tuple[PoolMemory, ...]:
        """The memory of one pool on every broker."""
        return tuple([memory for key, memory in self.pools.items() if key == pool or key.startswith(f"{pool}@")])
