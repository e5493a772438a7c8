"""Workers that others started and that consume a pool's queues: counted as capacity, shown, never touched.

`replicas.py` asks for each look. Only what is known counts: a stranger of which nobody says which queues it consumes belongs to no
pool. Its free slots take waiting tasks off the pool's hands, but only for a moment: a free slot that leaves a task waiting from one
look to the next is none, whatever is said of it, and from then on the pool starts workers of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from autoscaler.model import Known, Observation, Phase, Replica, WorkerSight


def strangers(seen: Observation, ours: set[str]) -> tuple[WorkerSight, ...]:
    """Workers that are surely online and have no container of ours."""
    return tuple([w for w in seen.workers.values() if w.name not in ours and isinstance(w.online, Known) and w.online.value])


def held(found: Iterable[WorkerSight]) -> int:
    """Tasks that these workers are known to hold."""
    return sum([r.value for w in found for r in (w.running, w.reserved) if isinstance(r, Known)])


def of_pool(found: tuple[WorkerSight, ...], queues: tuple[str, ...], now: float) -> tuple[Replica, ...]:
    """Those that are known to consume one of these queues, as replicas without a container."""
    wanted = set(queues)
    return tuple([_replica(w, now) for w in found if isinstance(w.queues, Known) and wanted.intersection(w.queues.value)])


def _replica(worker: WorkerSight, now: float) -> Replica:
    running = worker.running.value if isinstance(worker.running, Known) else None
    reserved = worker.reserved.value if isinstance(worker.reserved, Known) else 0
    slots = worker.slots.value if isinstance(worker.slots, Known) else running or 0
    return Replica(worker.name, "", Phase.FOREIGN, now, slots, running, reserved, heard=True)


def taken_at_once(foreign: tuple[Replica, ...], waiting: int, oldest_wait_seconds: float, interval_seconds: float) -> int:
    """Waiting tasks that these workers' free slots take before anybody else could.

    >>> idle = Replica("celery@base", "", Phase.FOREIGN, 0.0, slots=4, running=1)
    >>> taken_at_once((idle,), 5, 2.0, 2.0), taken_at_once((idle,), 5, 4.0, 2.0)
    (3, 0)
    """
    if not foreign or not waiting or oldest_wait_seconds > 1.5 * interval_seconds:
        return 0
    free = sum([max(0, r.slots - r.running - r.reserved) for r in foreign if r.running is not None])
    return min(waiting, free)
