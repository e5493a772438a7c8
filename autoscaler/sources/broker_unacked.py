"""Whose are the messages that workers have taken and not acknowledged? Pure: bytes that kombu stored in, counts per queue out.

kombu keeps such messages of all queues together in one hash, delivery tag -> `[message, exchange, routing_key]` as JSON, and the
bindings of each named exchange in a set of `routing key, pattern, queue`. Without an exchange the routing key is the queue.
`broker_redis.py` reads both and asks here; an entry whose queue cannot be told is unknown, never nobody's.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """Where a message was sent to."""

    exchange: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class Binding:
    """One member of an exchange's set of bindings."""

    routing_key: str
    pattern: str
    """Regular expression of a topic binding; empty for a direct one."""
    queue: str

    def takes(self, routing_key: str) -> bool:
        """Whether a message with this key goes to this queue, as kombu decides when it restores one.

        >>> Binding("media.video.#", r"^media\\.video\\..*?$", "video").takes("media.video.hd.new")
        True
        """
        return routing_key == self.routing_key or bool(self.pattern and re.match(self.pattern, routing_key))


def route(entry: bytes) -> Route | None:
    """Where the message of one entry was sent to; None when it cannot be told.

    >>> route(b'[{"body": "..."}, "", "celery"]')
    Route(exchange='', routing_key='celery')
    """
    try:
        _, exchange, routing_key = json.loads(entry)
    except (ValueError, TypeError, RecursionError):
        return None
    if isinstance(exchange or "", str) and routing_key and isinstance(routing_key, str):
        return Route(exchange or "", routing_key)
    return None


def binding(member: bytes, separator: str) -> Binding | None:
    """One binding as kombu wrote it; None when it is not one, or cannot be used."""
    parts = member.decode("utf-8", errors="replace").split(separator)
    if len(parts) != 3:
        return None
    try:
        re.compile(parts[1])
    except re.error:
        return None
    return Binding(*parts)


def exchanges(routes: Iterable[Route | None]) -> tuple[str, ...]:
    """The named exchanges whose bindings are needed to tell the queues."""
    return tuple(sorted({r.exchange for r in routes if r and r.exchange}))


def count(routes: Iterable[Route | None], bindings: Mapping[str, Iterable[Binding]], queues: Iterable[str], unread: bool) -> dict[str, int]:
    """Unacknowledged messages per queue; with some of unknown queue, or `unread` ones, no queue has less than one.

    One and not all of them: it takes one to make a queue worth a look by a worker, which then restores what is due, while
    counting every unknown message for every queue would start a fleet per pool for messages that are nobody's.

    >>> count([Route("", "mail"), Route("", "mail"), None], {}, ["mail", "video"], unread=False)
    {'mail': 2, 'video': 1}
    """
    found: Counter[str] = Counter()
    unknown = unread
    for sent in routes:
        where = _queues(sent, bindings) if sent else set()
        found.update(where)
        unknown = unknown or not where
    return {queue: max(found[queue], int(unknown)) for queue in queues}


def _queues(sent: Route, bindings: Mapping[str, Iterable[Binding]]) -> set[str]:
    if not sent.exchange:
        return {sent.routing_key}
    return {b.queue for b in bindings.get(sent.exchange, ()) if b.takes(sent.routing_key)}
