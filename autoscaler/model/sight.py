"""What was seen in one look: queues, workers, containers, and how each source answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from autoscaler.model.health import Health
from autoscaler.model.host import Host, Need
from autoscaler.model.lean import lean
from autoscaler.model.orders import Orders
from autoscaler.model.readings import Reading, Unknown
from autoscaler.model.spending import Served


@lean
@dataclass(frozen=True, slots=True)
class QueueSight:
    """One configured queue in one look."""

    queue: str
    waiting: Reading[int]
    """Messages in the queue's list(s), not yet given to a worker."""
    unacked: Reading[int] = Unknown("no broker is read directly")
    """Messages given to a worker and not acknowledged: prefetched, ETA, late-acked or left behind by a killed worker."""
    later: tuple[float, ...] = ()
    """When waiting messages are due whose time has not come, soonest first; these are not counted in `waiting`."""


@lean
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
    queues: Reading[tuple[str, ...]] = Unknown("nobody was asked")
    """Queues that it consumes; asked of workers that are not ours."""


class ContainerState(StrEnum):
    """How the fleet sees a worker container (or process)."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


@lean
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
    image_moved: bool = False
    """The name of its image stands for another image by now: a new start would get that one."""
    broker: str = ""
    """The broker that it was started for, empty where none was configured then."""
    need: Need | None = None
    """What it may take of its host; None where it does not tell."""

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
    asked: bool = True
    """False: left alone in this look, to spare a metered broker a command, or because it fails again and again."""
    circuit_open: bool = False
    """It has failed so often in a row that it is asked more rarely until it answers."""


@dataclass(frozen=True, slots=True)
class BrokerSight:
    """One broker in one look: how it is doing, and what waits on it."""

    broker: str
    health: Health
    detail: str
    """In words what is wrong and what to do; empty when it serves."""
    fresh: bool
    """Whether a look at it ended since the tick before: only then is its health news."""
    queues: Mapping[str, QueueSight]
    commands_sent: int = 0
    """Commands that this process has sent to it since its start."""
    served: Served | None = None
    """Its own counter, where it has one that we may read, as last read."""


@lean
@dataclass(frozen=True, slots=True)
class Observation:
    """All that was seen in one look, with its gaps."""

    at: float
    queues: Mapping[str, QueueSight]
    workers: Mapping[str, WorkerSight]
    containers: Reading[tuple[Container, ...]]
    sources: tuple[SourceSight, ...] = ()
    brokers: Mapping[str, BrokerSight] = field(default_factory=dict)
    """Every broker that is read directly, by name. `queues` holds what waits on the first of them, joined with what Flower says."""
    orders: Orders = field(default_factory=dict)
    """What people and producers have ordered and what stands at this moment."""
    host: Reading[Host] = Unknown("no engine was asked")
    """The machine that the workers run on; where it is unknown, only counts limit them."""
