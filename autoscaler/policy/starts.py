"""Has a start failed? Judged only where somebody would have heard the worker, because not seeing is never zero.

`replicas.py` asks for each container that was never heard. Time counts against it only in looks in which silence proves something:

* another worker of ours is heard, and workers of this pool can be heard at all, so this one would be heard, too; or
* tasks have waited untouched for as long as the container exists, and a worker takes tasks whether it is heard or not.

So a worker that works and that nobody can hear (no events, no page of its own) is never taken for a failed start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from autoscaler.model import Container, PoolMemory

LONGEST_STEP_SECONDS = 10.0
"""What one look may add at most: between two looks that are further apart nobody listened."""


class Ear(NamedTuple):
    """What silence proves in this look, for one pool."""

    heard_in_vain: Mapping[str, float]
    """Seconds so far, by replica."""
    looked_at: float | None
    hears: bool
    """A worker like these would be heard now."""
    untouched_since: float | None
    """Since when tasks wait that nobody takes; None where none wait, or where that cannot be seen."""

    def unheard_seconds(self, container: Container, now: float, *, could_hear: bool) -> float:
        """How long this worker would have been heard and was not, this look included.

        >>> from autoscaler.model import ContainerState
        >>> web = Container("1", "web", "p", ContainerState.RUNNING, created_at=90.0, spec="")
        >>> Ear({"web": 6.0}, looked_at=98.0, hears=True, untouched_since=None).unheard_seconds(web, 100.0, could_hear=True)
        8.0
        """
        so_far = self.heard_in_vain.get(container.name, 0.0)
        proves = self.hears or (self.untouched_since is not None and self.untouched_since <= container.created_at)
        if not (proves and could_hear) or self.looked_at is None:
            return so_far
        return so_far + min(max(0.0, now - max(self.looked_at, container.created_at)), LONGEST_STEP_SECONDS)


def ear(memory: PoolMemory, *, hears_ours: bool, tasks_wait: bool) -> Ear:
    """The pool's ear for this look."""
    untouched = memory.untouched_since if tasks_wait else None
    return Ear(dict(memory.unheard), memory.looked_at, hears_ours and memory.audible, untouched)


def untouched_since(memory: PoolMemory, depth: tuple[int, int] | None, now: float) -> float | None:
    """Since when nobody was seen to take a task from the pool's queues; None while they cannot be seen.

    `depth` is (waiting, unacknowledged): the first falls or the second rises when a task is taken.
    """
    if depth is None:
        return None
    taken = memory.depth is None or depth[0] < memory.depth[0] or depth[1] > memory.depth[1]
    return now if taken or memory.untouched_since is None else memory.untouched_since
