"""What a pool looks like: containers joined with workers and queues, in phases, with its work over time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from autoscaler.model.lifecycle import Phase
from autoscaler.model.moment import Moment
from autoscaler.model.orders import Order
from autoscaler.model.sight import Container, QueueSight
from autoscaler.model.spending import FREE, Purse


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
    heard: bool = False
    """A source hears it in this look."""
    defies: bool = False
    """It was told to leave, and is heard without a sign of leaving."""
    said_offline: bool = False
    """It was heard before, and a source now says that it is not there."""
    unheard_seconds: float = 0.0
    """How long it would have been heard and was not, since its start; looks that would not have shown it do not count."""
    start_failed: bool = False
    """It was not heard within the start timeout, though it would have been: it is to leave, and holds no place any more."""
    outdated: bool = False
    """It was started from another spec or image than a new one would be."""
    started: int | None = None
    """Tasks begun since the worker's start, None where nobody counts them."""
    finished: int | None = None
    broker: str = ""
    """The broker that it was started for."""

    @property
    def is_idle(self) -> bool:
        """Surely idle: nothing running, prefetched or scheduled, and somebody said so."""
        return self.running == 0 and self.reserved == 0 and self.scheduled == 0


@dataclass(frozen=True, slots=True)
class Flow:
    """A pool's work over time, measured from the workers' own counters.

    The mean runtime is running slot-seconds per finished task (conservation of work), so tasks that still run count too and
    long ones cannot hide. Arrivals are starts plus what waits.
    """

    at: Moment | None = None
    """When it was last measured; None before the first look with counters."""
    counters: tuple[tuple[str, int, int], ...] = ()
    """(replica, started, finished) as last read; a replica's counters begin at 0 with its start."""
    started: int = 0
    finished: int = 0
    busy_seconds: float = 0.0
    """Running slot-seconds, forgotten over five minutes."""
    done: float = 0.0
    """Finished tasks, forgotten likewise."""
    arrivals: tuple[tuple[Moment, int], ...] = ()
    """(time, tasks arrived until then) for every look since the oldest task that still waits."""
    arrival_rate: float = 0.0
    """Tasks per second, over the last minute."""
    would_wait: tuple[float, ...] = ()
    """Slot-seconds of work that would wait now, had there been only 1, 2, 3 ... replicas; only where tasks may wait for a time."""

    @property
    def is_measured(self) -> bool:
        """Whether anybody counts this pool's tasks."""
        return self.at is not None

    @property
    def mean_runtime_seconds(self) -> float | None:
        """None until a task has ended, and while none was ever seen running: they may be short, but not of no length."""
        return self.busy_seconds / self.done if self.done > 1e-6 and self.busy_seconds > 1e-6 else None


SERVING = (Phase.STARTING, Phase.READY, Phase.LOST)
"""Phases of replicas that serve or will; draining ones are on their way out."""


@dataclass(frozen=True)
class PoolView:
    """One pool in one look: containers joined with workers and queues. Sums over the replicas are made once."""

    pool: str
    queues: tuple[QueueSight, ...]
    waiting: int
    """Tasks known to wait: the sum over the queues that could be seen, with those that are due within a worker's boot."""
    leftover: int
    """Unacknowledged messages that no living worker holds: left behind by a killed one."""
    replicas: tuple[Replica, ...]
    exited: tuple[Container, ...]
    """Containers that ended or never started, to be recorded and removed."""
    oldest_wait_seconds: float
    """Upper bound on the wait of the oldest task: how long the queues have not been empty."""
    blind: tuple[str, ...]
    """Why this pool must not be scaled down, in words; empty when all was seen."""
    flow: Flow = Flow()
    foreign: tuple[Replica, ...] = ()
    """Workers that others started and that are known to consume these queues."""
    others_take: int = 0
    """Waiting tasks that these are expected to take at once."""
    later: int = 0
    """Tasks in the queues whose time is still far off: they do not wait for a worker yet."""
    due_in_seconds: float | None = None
    """Until the first task is due whose time has not come; None where there is none."""
    fleet_seen: bool = True
    """False: the containers themselves could not be listed, so nothing may be done."""
    orders: tuple[Order, ...] = ()
    """What was ordered about this pool and is in force now."""
    purse: Purse = FREE
    """What the budget of its broker asks."""
    refused: str = ""
    """Why its broker turns away whoever comes, in words; empty where it does not."""

    def of(self, *phases: Phase) -> tuple[Replica, ...]:
        """The replicas in these phases."""
        return tuple([r for r in self.replicas if r.phase in phases])

    @cached_property
    def serving(self) -> tuple[Replica, ...]:
        """Replicas that serve or will: starting, ready and lost; of a failed start nothing is expected any more."""
        return tuple([r for r in self.replicas if r.phase in SERVING and not r.start_failed])

    @property
    def unserved(self) -> int:
        """Waiting tasks that are left to the pool's own workers."""
        return self.waiting - self.others_take

    def count(self, phase: Phase) -> int:
        """How many are in this phase, those that have ended and those of others included."""
        if phase is Phase.FOREIGN:
            return len(self.foreign)
        return len(self.exited) if phase is Phase.STOPPING else len(self.of(phase))

    @property
    def failed_starts(self) -> tuple[Replica, ...]:
        """Replicas that are to leave because they were not heard in time."""
        return tuple([r for r in self.replicas if r.start_failed])

    @property
    def current(self) -> int:
        """How many serve or will."""
        return len(self.serving)

    @cached_property
    def slots(self) -> int:
        """Tasks that the present replicas can run at once."""
        return sum([r.slots for r in self.serving if r.phase is not Phase.LOST])

    @cached_property
    def busy(self) -> int:
        """Slots that are known to be in use on replicas that stay."""
        return sum([min(r.slots, r.running + r.reserved) for r in self.serving if r.phase is Phase.READY and r.running is not None])
