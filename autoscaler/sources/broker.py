"""A broker as a source: what waits in each configured queue, also in one that no worker consumes and Flower does not list.

Handed a broker's settings, gives a `Sight` per look or raises a `SightError`. How it is read depends on the kind of broker:
`broker_redis.py` reads Redis directly and sees unacknowledged messages too, `broker_kombu.py` asks any other through kombu.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Protocol

from autoscaler.config.models import BrokerSettings
from autoscaler.errors import AnswerUnusable, SourceUnreachable
from autoscaler.model import Health
from autoscaler.model.spending import Served
from autoscaler.sources.broker_redis import RedisBroker
from autoscaler.sources.broker_state import State
from autoscaler.sources.redis_line import SCHEMES
from autoscaler.sources.sight import Sight, Wanted

FIRST_PAUSE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 600.0
RESTING_PAUSE_SECONDS = 3600.0


class Reader(Protocol):
    """One kind of broker, read without a deadline of its own."""

    @property
    def commands_sent(self) -> int:
        """Commands sent since the start."""

    @property
    def place(self) -> str:
        """Which broker and where, as a sentence about it begins."""

    async def read(self, queues: tuple[str, ...]) -> Sight:
        """What waits in these queues."""

    async def state(self) -> State | None:
        """What it says of itself, None where it says nothing."""

    async def close(self) -> None:
        """Let go of the connection."""


class BrokerSource:
    """One broker under one overall deadline; to be awaited on one event loop, one look at a time."""

    def __init__(self, settings: BrokerSettings, *, asks_state: bool = False) -> None:
        """`asks_state`: also ask now and then how much it has served and whether it takes writes, for one command each time."""
        self.broker = settings.name
        self.name = f"broker:{settings.name}"
        self._settings = settings
        self._broker = _reader(settings)
        self._due = 0.0 if asks_state else math.inf
        self._pause = FIRST_PAUSE_SECONDS
        self._served: Served | None = None
        self._trouble: State | None = None

    @property
    def commands_sent(self) -> int:
        """Commands sent since the start, connecting included: what a metered broker bills for our looking."""
        return self._broker.commands_sent

    async def look(self, wanted: Wanted) -> Sight:
        """Waiting messages of every wanted queue, 0 included, and where the broker shows them, unacknowledged ones."""
        seconds = self._settings.timeout
        try:
            async with asyncio.timeout(seconds):
                sight = await self._broker.read(tuple(dict.fromkeys(wanted.queues)))
                if wanted.now >= self._due:
                    await self._ask_state(wanted.now, resting=not _is_busy(sight))
        except TimeoutError as error:
            raise SourceUnreachable(f"broker {self._settings.name} did not answer within {seconds:g} s", kind=Health.TIMEOUT) from error
        if self._trouble:
            raise AnswerUnusable(f"{self._broker.place} {self._trouble.detail}", kind=self._trouble.health)
        return replace(sight, served=self._served)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._broker.close()

    async def _ask_state(self, now: float, *, resting: bool) -> None:
        """Ask, and set when to ask again: at once while it is in trouble, else less and less often, and rarely where it is billed."""
        state = await self._broker.state()
        self._trouble = state if state and state.health.is_down else None
        if state and state.commands is not None:
            self._served = Served(state.commands, state.run, now)
        resting_pause = RESTING_PAUSE_SECONDS if self._settings.budget and resting else 0.0
        self._due = now if self._trouble else now + max(self._pause, resting_pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)


def _is_busy(sight: Sight) -> bool:
    return any(sight.queues.values()) or any((sight.unacked or {}).values())


def _reader(settings: BrokerSettings) -> Reader:
    """Whatever reads this kind of broker; kombu is loaded only where it is needed."""
    if settings.url.get_secret_value().partition(":")[0] in SCHEMES:
        return RedisBroker(settings)
    from autoscaler.sources.broker_kombu import KombuBroker

    return KombuBroker(settings)
