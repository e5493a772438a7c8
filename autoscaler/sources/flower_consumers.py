"""Which queues do workers consume that are not ours? Flower knows it of those that it has inspected, and answers from memory.

Its page `/api/workers` is large and says nothing new for as long as Flower inspects nobody, so `flower.py` asks for it only while a
worker is online that is not ours and of which it is not known yet, and then no more than twice a minute.
A worker that came after Flower's own start is not on the page until somebody opens its page in Flower: nobody knows its queues then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from autoscaler.sources.fetch import Answer
from autoscaler.sources.flower_pages import Page, count, json_object
from autoscaler.sources.sight import Voice

AGAIN_SECONDS = 30.0
ANEW_SECONDS = 300.0
"""What is known is asked again this often: queues may be added to a worker and taken away."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """One worker as Flower once inspected it."""

    queues: tuple[str, ...]
    slots: int | None


def consumers(answer: Answer) -> Page[Consumer]:
    """Queues and slots per worker from `/api/workers`; who has no readable list of queues is left out."""
    listed = json_object(answer, "the list of workers")
    read = {name: _consumer(entry) for name, entry in listed.items()}
    return Page({name: found for name, found in read.items() if found})


def _consumer(entry: Any) -> Consumer | None:
    if not isinstance(entry, dict) or not isinstance(queues := entry.get("active_queues"), list):
        return None
    names = [queue["name"] for queue in queues if isinstance(queue, dict) and isinstance(queue.get("name"), str)]
    stats = entry.get("stats")
    pool = stats.get("pool") if isinstance(stats, dict) else None
    return Consumer(tuple(names), count(pool.get("max-concurrency")) if isinstance(pool, dict) else None)


class Strangers:
    """What is known of the workers online that are not ours."""

    def __init__(self) -> None:
        self._online: frozenset[str] = frozenset()
        self._known: dict[str, Consumer] = {}
        self._asked_at = float("-inf")

    def wants(self, now: float) -> bool:
        """Whether the page is worth asking for in this look."""
        unknown = self._online - self._known.keys()
        rested = not 0 <= now - self._asked_at < (AGAIN_SECONDS if unknown else ANEW_SECONDS)
        return bool(self._online) and rested

    def learn(self, page: Mapping[str, Consumer], now: float) -> None:
        """Take up what the page says of them."""
        self._asked_at = now
        self._known |= {name: page[name] for name in self._online & page.keys()}

    def meet(self, online: Iterable[str]) -> None:
        """These are online now; who is not is forgotten, and news is asked for at the next look."""
        online = frozenset(online)
        if online - self._online:
            self._asked_at = float("-inf")
        self._online = online
        self._known = {name: known for name, known in self._known.items() if name in online}

    def told(self, voices: Mapping[str, Voice]) -> dict[str, Voice]:
        """The voices of those of whom something is known, with it."""
        return {
            name: replace(voices[name], queues=known.queues, slots=known.slots) for name, known in self._known.items() if name in voices
        }
