"""How a broker is doing, told apart by what it really says: one list of error texts for everybody who reads them.

`sources/redis_line.py` reads the answers to our own looks with it, and whoever examines a dead worker reads its last lines:
a worker that ended because its broker refused it is a fault of the broker, not a crash loop.
The texts are those of Redis, of Upstash, of redis-py and of the operating system.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum


class Health(StrEnum):
    """The state of one broker, as far as it can be told from outside."""

    UP = "up"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    TLS = "tls"
    AUTH = "auth"
    QUOTA = "quota"
    READ_ONLY = "read_only"
    LOADING = "loading"
    FULL = "full"
    CONNECTIONS = "connections"
    UNUSABLE = "unusable"

    @property
    def is_down(self) -> bool:
        """Whether it was asked and does not serve."""
        return self not in (Health.UP, Health.UNKNOWN)

    @property
    def refuses(self) -> bool:
        """Whether it answers and turns everybody away: a worker that is started now dies of it, or waits in vain.

        What does not answer at all is left out: that may be our own road to it, and a worker waits for it in patience.
        """
        return self in _REFUSING


_REFUSING = (Health.AUTH, Health.QUOTA, Health.READ_ONLY, Health.LOADING, Health.FULL, Health.CONNECTIONS)

REMEDY: dict[Health, str] = {
    Health.UP: "",
    Health.UNKNOWN: "has not been asked yet",
    Health.UNREACHABLE: "cannot be reached: is it running, and are both in the same network?",
    Health.TIMEOUT: "does not answer in time: look at its load and at the network between",
    Health.TLS: "does not speak TLS as expected: is rediss:// right here, and its certificate valid?",
    Health.AUTH: "refuses the login: check user and password in its url",
    Health.QUOTA: "has used up its quota: wait for the next period, raise the plan, or enable another broker",
    Health.READ_ONLY: "takes no writes: give the address of the primary, or look at its disk and its replicas",
    Health.LOADING: "is still loading its data: wait",
    Health.FULL: "is full and refuses new tasks: give it more memory, or take out what is not needed",
    Health.CONNECTIONS: "has no connection left: raise maxclients or the plan, or run fewer workers",
    Health.UNUSABLE: "answers what a broker of Celery should not: check the address",
}
"""What is wrong and what to do, to be read after the broker's name."""

_SPOKEN: tuple[tuple[str, Health], ...] = (
    (r"max (?:\w+ )?requests? limit exceeded", Health.QUOTA),
    (r"capacity quota exceeded|command not allowed when used memory", Health.FULL),
    (r"max concurrent connections exceeded|max number of clients", Health.CONNECTIONS),
    (r"(?:\w+ ){0,2}quota exceeded", Health.QUOTA),
    (r"write against a read only|Link with MASTER is down|Not enough good replicas to write", Health.READ_ONLY),
    (r"Redis is configured to save RDB snapshots|Errors writing to the AOF file", Health.READ_ONLY),
    (r"WRONGPASS|NOAUTH|NOPERM|invalid username-password|Authentication required", Health.AUTH),
    (r"Redis is loading|BusyLoadingError", Health.LOADING),
)
"""What only a broker says; first match first. Sentences and not their codes, because redis-py takes most codes away."""

_ON_THE_WAY: tuple[tuple[str, Health], ...] = (
    (r"CERTIFICATE_VERIFY_FAILED|\[SSL\b|SSLError", Health.TLS),
    (r"Timeout (?:reading from|connecting to)|timed out", Health.TIMEOUT),
    (
        r"Connection refused|Connection reset|Connection closed|Name or service not known|name resolution|"
        r"No route to host|Network is unreachable",
        Health.UNREACHABLE,
    ),
)
"""What any network says: of a broker only where the line speaks of one."""

_OF_A_BROKER = re.compile(r"Cannot connect to|redis\.exceptions|kombu\.exceptions|consumer: |rediss?://")


Table = tuple[tuple[re.Pattern[str], Health], ...]


def _matcher(table: tuple[tuple[str, Health], ...]) -> Table:
    return tuple((re.compile(pattern, re.IGNORECASE), health) for pattern, health in table)


def _first(table: Table, text: str) -> Health | None:
    return next((health for pattern, health in table if pattern.search(text)), None)


_SPOKEN_BY, _ON_ITS_WAY = _matcher(_SPOKEN), _matcher(_ON_THE_WAY)


def spoken(text: str) -> Health | None:
    """What a broker's own words say of its health; None where they say nothing of the kind.

    >>> spoken("max daily request limit exceeded. Limit: 10000, Usage: 10000.")
    <Health.QUOTA: 'quota'>
    """
    return _first(_SPOKEN_BY, text)


def fault_in(lines: Iterable[str]) -> Health | None:
    """The broker's fault that a worker's log tells of, None where it tells of none.

    A network's words count only in a line that speaks of the broker: an application may be refused by anybody.

    >>> fault_in(["redis.exceptions.ResponseError: max requests limit exceeded. Limit: 500000, Usage: 500000."])
    <Health.QUOTA: 'quota'>
    >>> fault_in(["requests: ConnectionError: Connection refused"])
    """
    for line in reversed([*lines]):
        if found := spoken(line) or (_first(_ON_ITS_WAY, line) if _OF_A_BROKER.search(line) else None):
            return found
    return None
