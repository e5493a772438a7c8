"""What a pool looks like: containers joined with workers and queues, in phases, with its work over time."""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.model.lean import lean
from autoscaler.model.lifecycle import Phase
from autoscaler.model.moment import Moment
from autoscaler.model.orders import Order
from autoscaler.model.sight import Container, QueueSight
from autoscaler.model.spending import FREE, Purse


@lean
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

    @property
    def is_busy(self) -> bool:
        """Surely not idle: it is known to hold a task that runs, was prefetched, or is scheduled."""
        return self.running is not None and not self.is_idle


@lean
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
    """Running slot-seconds, forgotten over five minutes, but for a rest of what is known of them."""
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


_READY, _LOST, _DRAINING = Phase.READY, Phase.LOST, Phase.DRAINING


class Sums:
    """What the rules ask of a pool's replicas, found in one pass over them when the view is made."""

    __slots__ = ("busy", "failed_starts", "holders", "leaving", "lost", "outdated", "serving", "silent", "slots")

    serving: tuple[Replica, ...]
    """Replicas that serve or will: starting, ready and lost; of a failed start nothing is expected any more."""
    failed_starts: tuple[Replica, ...]
    """Replicas that are to leave because they were not heard in time."""
    outdated: tuple[Replica, ...]
    """Of those that serve the ones that were started from an earlier spec or image."""
    leaving: int
    """Replicas that hold no place any more and still use the host: draining ones and failed starts."""
    holders: int
    """Replicas with scheduled tasks in their memory, but for draining ones."""
    slots: int
    """Tasks that the present replicas can run at once, those of lost ones left out."""
    busy: int
    """Slots that are known to be in use on replicas that stay."""
    lost: int
    """Slots of lost replicas: whether they work nobody knows."""
    silent: int
    """Slots of replicas that are there and do not say what they run."""

    replicas: tuple[Replica, ...]

    def __post_init__(self) -> None:
        serving: list[Replica] = []
        failed: tuple[Replica, ...] = ()
        outdated: tuple[Replica, ...] = ()
        leaving = holders = slots = busy = lost = silent = 0
        for r in self.replicas:
            phase = r.phase
            if r.scheduled and phase is not _DRAINING:
                holders += 1
            if phase is _DRAINING or r.start_failed:
                leaving += 1
                failed += (r,) if r.start_failed else ()
                continue
            serving.append(r)
            if r.outdated:
                outdated += (r,)
            if phase is _LOST:
                lost += r.slots
                continue
            slots += r.slots
            if r.running is None:
                silent += r.slots
            elif phase is _READY:
                held = r.running + r.reserved
                busy += held if held < r.slots else r.slots
        self.serving, self.failed_starts, self.outdated = tuple(serving), failed, outdated
        self.leaving, self.holders, self.slots, self.busy, self.lost, self.silent = leaving, holders, slots, busy, lost, silent


@lean
@dataclass(frozen=True, slots=True)
class PoolView(Sums):
    """One pool in one look: containers joined with workers and queues."""

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
    def current(self) -> int:
        """How many serve or will."""
        return len(self.serving)
