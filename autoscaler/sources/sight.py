"""What every source hands on: plain values of one look, or an error that says why there are none.

A source gives only what it really saw. `None` means "this source cannot say", and is never read as zero.
`merge.py` joins the sights of all sources into the readings of an `Observation`; `eyes.py` fans the looks out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from autoscaler.model import Container
from autoscaler.model.spending import Served


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one look is asked to find out."""

    now: float
    queues: tuple[str, ...]
    containers: tuple[Container, ...] = ()
    """Our running containers as last listed: whose own pages can be asked."""


@dataclass(frozen=True, slots=True)
class Voice:
    """What one source says about one Celery worker; None where it cannot say."""

    name: str
    online: bool | None = None
    running: int | None = None
    reserved: int | None = None
    scheduled: int | None = None
    draining: bool | None = None
    slots: int | None = None
    started: int | None = None
    finished: int | None = None
    queues: tuple[str, ...] | None = None
    """Queues that it consumes; asked of others' workers only."""
    heard_at: float | None = None
    """When the worker itself was last heard (heartbeat or answer); None when the source cannot tell."""
    heard_every: float | None = None
    """Seconds between its heartbeats, where the source knows: what silence means depends on it."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One source's answer."""

    queues: Mapping[str, int] = field(default_factory=dict)
    """Waiting messages per queue, only for queues that this source really read."""
    unacked: Mapping[str, int] | None = None
    """Unacknowledged messages per queue; None where this source cannot see them."""
    due: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """When those waiting messages are due that carry a time, soonest first; only for queues into which this source has looked."""
    voices: Mapping[str, Voice] = field(default_factory=dict)
    gaps: Mapping[str, str] = field(default_factory=dict)
    """Wanted queues that could not be read, each with why and what to do, in the operator's words."""
    notes: tuple[str, ...] = ()
    """Trouble that did not spoil the whole answer, in the operator's words."""
    served: Served | None = None
    """A broker's own counter of commands, as last read."""
    whole: bool = True
    """False where a part that decisions need could not be read: the source counts as down, what it gave is used."""


class Source(Protocol):
    """A neighbour that can be looked at."""

    name: str

    async def look(self, wanted: Wanted) -> Sight:
        """See, or raise a SightError that says in words what is wrong and what to do."""

    async def close(self) -> None:
        """Let go of connections."""


@runtime_checkable
class Broker(Protocol):
    """A source that is a broker: what workers are started for, and what every question to it may cost."""

    broker: str
    """Its name in the configuration."""

    @property
    def commands_sent(self) -> int:
        """Commands sent since the start, connecting included: what a metered broker bills for our looking."""
