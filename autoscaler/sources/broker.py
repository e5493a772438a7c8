"""A broker as a source: what waits in each configured queue, also in one that no worker consumes and Flower does not list.

Handed a broker's settings, gives a `Sight` per look or raises a `SightError`. How it is read depends on the kind of broker:
`broker_redis.py` reads Redis directly and sees unacknowledged messages too, `broker_kombu.py` asks any other through kombu.
"""

from __future__ import annotations

import asyncio

from autoscaler.config.models import BrokerSettings
from autoscaler.errors import SourceUnreachable
from autoscaler.sources.broker_kombu import KombuBroker
from autoscaler.sources.broker_redis import RedisBroker
from autoscaler.sources.redis_line import SCHEMES
from autoscaler.sources.sight import Sight, Wanted


class BrokerSource:
    """One broker under one overall deadline; to be awaited on one event loop, one look at a time."""

    def __init__(self, settings: BrokerSettings) -> None:
        self.name = f"broker:{settings.name}"
        self._settings = settings
        kind = settings.url.get_secret_value().partition(":")[0]
        self._broker = RedisBroker(settings) if kind in SCHEMES else KombuBroker(settings)

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
            raise SourceUnreachable(f"broker {self._settings.name} did not answer within {seconds:g} s") from error

    async def close(self) -> None:
        """Let go of the connection."""
        await self._broker.close()
