"""When are waiting tasks due? Pure: messages as kombu stored them in, moments out.

A task with an ETA or a countdown, a retry too, stands in the queue's list with all others and carries its time in the header `eta`.
A worker takes it at once and holds it until then; while there is no worker it only lies there, and is no reason to start one yet.
`broker_redis.py` peeks at short lists and asks here. What cannot be read is due now, so that doubt never leaves a task lying.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime


def due_times(messages: Iterable[bytes]) -> tuple[float, ...]:
    """The moments of those messages that carry one, soonest first.

    >>> due_times([b'{"headers": {"eta": "1970-01-01T01:00:00+00:00"}}', b'{"headers": {"eta": null}}', b'rubbish'])
    (3600.0,)
    """
    return tuple(sorted(moment for message in messages if (moment := due_at(message)) is not None))


def due_at(message: bytes) -> float | None:
    """When this task is due, None for at once: it carries no time, or none that says of which zone it is."""
    try:
        eta = json.loads(message)["headers"]["eta"]
        moment = datetime.fromisoformat(eta)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return moment.timestamp() if moment.tzinfo else None
