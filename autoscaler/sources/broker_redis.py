"""Reads Celery's queues out of Redis as kombu keeps them, with as few commands as can be.

A queue is a list per priority step, and unacknowledged messages of all queues are one hash. While all is empty one `EXISTS` over
these keys tells so: one command per look, which a metered Redis bills. Only when something is there: the length of each queue's
first list, whether there are lists of other priorities at all, and how many messages are unacknowledged and whose. Into a short list
one look is taken at the task that is next; only where that one waits for its time, the others are read, too.
`broker.py` sets the deadline and hands the result on; `redis_line.py` carries the commands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import redis.exceptions as trouble

from autoscaler.config.models import BrokerSettings
from autoscaler.sources import broker_unacked
from autoscaler.sources.broker_due import due_at, due_times
from autoscaler.sources.broker_state import State, state_of
from autoscaler.sources.broker_unacked import Binding
from autoscaler.sources.redis_line import RedisLine, good
from autoscaler.sources.sight import Sight

ENTRIES_READ = 1_000
"""Unacknowledged messages whose queue is looked up in one look; what is beyond counts as of unknown queue."""
BYTES_READ = 2_000_000
"""... and their size: tasks may carry whole files."""
BYTES_OF_ONE = BYTES_READ // 20
"""A task that waits for its time and is larger counts as due: others like it are not worth reading."""
FIRST_STEP = 50
EXCHANGES_READ = 20
PEEKED_AT = 20
"""A queue with more tasks than this is work, whatever the times of some of them."""


class RedisBroker:
    """One Redis as kombu fills it."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings
        self._line = RedisLine(settings.name, settings.url.get_secret_value())

    @property
    def commands_sent(self) -> int:
        """Commands sent since the start, those of connecting included."""
        return self._line.commands_sent

    @property
    def place(self) -> str:
        """Which broker and where."""
        return self._line.place

    async def read(self, queues: Sequence[str]) -> Sight:
        """Waiting and unacknowledged messages of each of these queues."""
        return await self._line.hold(lambda: self._read(queues))

    async def state(self) -> State | None:
        """What it says of itself; None where our user may not ask, and where the server has renamed the question away."""
        return await self._line.hold(self._state)

    async def close(self) -> None:
        """Drop the connection; the next look makes another."""
        await self._line.close()

    # ------------------------------------------------------------ the look

    async def _read(self, queues: Sequence[str]) -> Sight:
        lists = {queue: self._lists(queue) for queue in queues}
        first = [keys[0] for keys in lists.values()]
        others = [key for keys in lists.values() for key in keys[1:]]
        (alive,) = good(await self._line.ask(("EXISTS", *first, *others, self._unacked)))
        if not alive:
            return Sight(queues=dict.fromkeys(queues, 0), unacked=dict.fromkeys(queues, 0))
        held, *found = await self._line.ask(("HLEN", self._unacked), *(("LLEN", key) for key in first))
        lengths = dict(zip(first, found, strict=True)) | await self._prioritized(others)
        parts = {queue: [lengths.get(key, 0) for key in keys] for queue, keys in lists.items()}
        gaps = {queue: str(self._line.in_words(bad)) for queue, found in parts.items() for bad in found if isinstance(bad, Exception)}
        unacked, notes = await self._unacknowledged(held, queues)
        depths = {queue: sum(parts[queue]) for queue in queues if queue not in gaps}
        due = await self._due_times({q: [key for key in lists[q] if lengths.get(key)] for q, n in depths.items() if 0 < n <= PEEKED_AT})
        return Sight(depths, unacked, due=due, gaps=gaps, notes=notes)

    async def _due_times(self, lists: Mapping[str, Sequence[str]]) -> dict[str, tuple[float, ...]]:
        """When the tasks of short queues are due, for queues whose next task waits for its time."""
        keys = {queue: keys[0] for queue, keys in lists.items()}
        answers = await self._line.ask(*(("LINDEX", key, -1) for key in keys.values())) if keys else ()
        sleeping = [q for q, m in zip(keys, answers, strict=True) if isinstance(m, bytes) and len(m) < BYTES_OF_ONE and due_at(m)]
        found = {}
        for queue in sleeping:
            parts = await self._line.ask(*(("LRANGE", key, 0, PEEKED_AT - 1) for key in lists[queue]))
            found[queue] = due_times(message for part in parts if isinstance(part, list) for message in part)
        return found

    async def _state(self) -> State | None:
        (answer,) = await self._line.ask(("INFO",))
        may_not = isinstance(answer, trouble.NoPermissionError)
        if may_not or (isinstance(answer, trouble.ResponseError) and "unknown command" in str(answer)):
            return None
        (text,) = good([answer])
        return state_of(text if isinstance(text, bytes) else str(text).encode())

    async def _prioritized(self, keys: Sequence[str]) -> dict[str, Any]:
        """Lengths of the lists of other priorities: mostly there are none, and one command says so."""
        if not keys or not good(await self._line.ask(("EXISTS", *keys)))[0]:
            return {}
        return dict(zip(keys, await self._line.ask(*(("LLEN", key) for key in keys)), strict=True))

    async def _unacknowledged(self, held: Any, queues: Sequence[str]) -> tuple[dict[str, int] | None, tuple[str, ...]]:
        """Unacknowledged messages per queue, and what is to be said about them."""
        if isinstance(held, Exception):
            return None, (f"unacknowledged messages cannot be counted: {self._line.in_words(held)}",)
        if not held:
            return dict.fromkeys(queues, 0), ()
        try:
            entries, unread = await self._entries()
            routes = [broker_unacked.route(entry) for entry in entries]
            bindings = await self._bindings(broker_unacked.exchanges(routes))
        except trouble.ResponseError as error:
            routes, bindings, unread = [], {}, True
            return broker_unacked.count(routes, bindings, queues, unread), (str(self._line.in_words(error)),)
        return broker_unacked.count(routes, bindings, queues, unread), ()

    async def _entries(self) -> tuple[list[bytes], bool]:
        """Unacknowledged messages, and whether some were left unread; the first few tell how many more there is room for."""
        entries: dict[bytes, bytes] = {}
        cursor, room = 0, FIRST_STEP
        while room > 0:
            (answer,) = good(await self._line.ask(("HSCAN", self._unacked, cursor, "COUNT", room)))
            cursor, flat = int(answer[0]), answer[1]
            entries |= dict(zip(flat[::2], flat[1::2], strict=True))
            if not cursor:
                break
            size = sum(map(len, entries.values()))
            room = min(ENTRIES_READ - len(entries), (BYTES_READ - size) * len(entries) // max(size, 1))
        return list(entries.values()), bool(cursor)

    async def _bindings(self, exchanges: Sequence[str]) -> dict[str, list[Binding]]:
        """The bindings of named exchanges; asked anew each time, because a worker may bind another queue at any time."""
        names = exchanges[:EXCHANGES_READ]
        if not names:
            return {}
        tables = [("SSCAN", f"{self._prefix}_kombu.binding.{name}", 0, "COUNT", ENTRIES_READ) for name in names]
        answers = good(await self._line.ask(*tables))
        parsed = [[broker_unacked.binding(member, self._settings.sep) for member in members] for _, members in answers]
        return {name: [b for b in table if b] for name, table in zip(names, parsed, strict=True)}

    # ------------------------------------------------------------ names of keys

    @property
    def _prefix(self) -> str:
        return self._settings.global_keyprefix

    @property
    def _unacked(self) -> str:
        return self._prefix + self._settings.unacked_key

    def _lists(self, queue: str) -> list[str]:
        """The lists of one queue: its name alone for step 0, else its name, the separator and the step."""
        name, separator = self._prefix + queue, self._settings.sep
        return [f"{name}{separator}{step}" if step else name for step in self._settings.priority_steps or (0,)]
