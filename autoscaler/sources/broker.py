"""A broker as a source: what waits in each configured queue, also in one that no worker consumes and Flower does not list.

Handed a broker's settings, gives a `Sight` per look or raises a `SightError`. How it is read depends on the kind of broker:
`broker_redis.py` reads Redis directly and sees unacknowledged messages too, `broker_kombu.py` asks any other through kombu.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from autoscaler.config.models import BrokerSettings
from autoscaler.errors import SourceUnreachable
from autoscaler.model import Health
from autoscaler.sources.broker_redis import RedisBroker
from autoscaler.sources.redis_line import SCHEMES
from autoscaler.sources.sight import Sight, Wanted


class Reader(Protocol):
    """One kind of broker, read without a deadline of its own."""

    @property
    def commands_sent(self) -> int:
        """Commands sent since the start."""

    async def read(self, queues: tuple[str, ...]) -> Sight:
        """What waits in these queues."""

    async def close(self) -> None:
        """Let go of the connection."""


class BrokerSource:
    """One broker under one overall deadline; to be awaited on one event loop, one look at a time."""

    def __init__(self, settings: BrokerSettings) -> None:
        self.broker = settings.name
        self.name = f"broker:{settings.name}"
        self._settings = settings
        self._broker = _reader(settings)

    @property
    def commands_sent(self) -> int:
        """Commands sent since the start, connecting included: what a metered broker bills for our looking."""
        return self._broker.commands_sent

    async def look(self, wanted: Wanted) -> Sight:
        """Waiting messages of every wanted queue, 0 included, and where the broker shows them, unacknowledged ones."""
        seconds = self._settings.timeout
        try:
            async with asyncio.timeout(seconds):
                return await self._broker.read(tuple(dict.fromkeys(wanted.queues)))
        except TimeoutError as error:
            raise SourceUnreachable(f"broker {self._settings.name} did not answer within {seconds:g} s", kind=Health.TIMEOUT) from error

    async def close(self) -> None:
        """Let go of the connection."""
        await self._broker.close()


def _reader(settings: BrokerSettings) -> Reader:
    """Whatever reads this kind of broker; kombu is loaded only where it is needed."""
    if settings.url.get_secret_value().partition(":")[0] in SCHEMES:
        return RedisBroker(settings)
    from autoscaler.sources.broker_kombu import KombuBroker

    return KombuBroker(settings)
