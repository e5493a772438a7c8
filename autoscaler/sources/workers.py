"""The workers' own pages as a source: what each worker says it runs, holds and plans, asked at its container's address.

Handed the running containers, gives a voice per page that answered. A page is believed only when it names the worker that the
container was given: an address can pass to another container between two looks. A page that is silent or unreadable costs its
own voice and a note, never the look. `autoscaler.contrib.celery` serves these pages; asking costs the broker nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from autoscaler.errors import AnswerUnusable, SightError
from autoscaler.model import Container
from autoscaler.sources.fetch import Answer, fetch, new_client
from autoscaler.sources.sight import Sight, Voice, Wanted

PAGES_AT_ONCE = 32
PAGES_PER_LOOK = 100
"""With more workers than this each look asks those that have waited longest; the others keep their last voice."""
PAGE_BYTES = 64_000
CONNECT_SECONDS = 0.4
"""The kernel of a living worker accepts at once, however busy the worker is. The address of one that has just left answers
nothing at all for seconds, and would hold up what all others say."""
NOTES_SHOWN = 5
PREFIX = "autoscaler_worker_"


class WorkerPages:
    """All workers' pages, asked side by side, each with a deadline of its own."""

    def __init__(self, timeout_seconds: float) -> None:
        self.name = "workers"
        self._timeout = timeout_seconds
        self._client = new_client(connections=PAGES_AT_ONCE, connect_seconds=CONNECT_SECONDS)
        self._places = asyncio.Semaphore(PAGES_AT_ONCE)
        self._asked_at: dict[str, float] = {}

    async def look(self, wanted: Wanted) -> Sight:
        """A voice of every page that answered, and a note for every one that did not."""
        containers = self._turn([c for c in wanted.containers if c.metrics], wanted.now)
        heard = await asyncio.gather(*(self._hear(container, wanted.now) for container in containers))
        voices = {voice.name: voice for voice in heard if isinstance(voice, Voice)}
        return Sight(voices=voices, notes=_few([note for note in heard if isinstance(note, str)]))

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()

    def _turn(self, containers: list[Container], now: float) -> list[Container]:
        """Those to ask in this look: the longest unasked first; containers that are gone are forgotten."""
        self._asked_at = {c.id: self._asked_at.get(c.id, 0.0) for c in containers}
        chosen = sorted(containers, key=lambda c: self._asked_at[c.id])[:PAGES_PER_LOOK]
        self._asked_at |= dict.fromkeys((c.id for c in chosen), now)
        return chosen

    async def _hear(self, container: Container, now: float) -> Voice | str:
        url = f"http://{container.metrics}/metrics"
        try:
            async with self._places:
                answer = await fetch(self._client, url, deadline_seconds=self._timeout, limit_bytes=PAGE_BYTES)
            return voice(answer, container.worker, now)
        except SightError as error:
            return f"{container.name}: {error}"


def voice(answer: Answer, worker: str, now: float) -> Voice:
    """What this page says about this worker.

    Raises:
        AnswerUnusable: it is not a worker's page, or another worker's.
    """
    if answer.status != 200:
        raise AnswerUnusable(f"its page answers with status {answer.status}: is metrics_port the port of the worker's own page?")
    name, numbers = _read(answer.text)
    if name != worker:
        raise AnswerUnusable(f"its page speaks for {name[:80] or 'nobody'} and not for {worker}: its address belongs to another worker now")
    return Voice(
        name=worker,
        online=_count(numbers, "ready") == 1,
        running=_count(numbers, "running_tasks"),
        reserved=_count(numbers, "reserved_tasks"),
        scheduled=_count(numbers, "scheduled_tasks"),
        draining=_count(numbers, "draining") == 1,
        slots=_count(numbers, "slots") if "slots" in numbers else None,  # absent until the worker has its pool
        started=_count(numbers, "tasks_started_total"),
        finished=_count(numbers, "tasks_finished_total"),
        heard_at=now,
    )


def _read(text: str) -> tuple[str, dict[str, float]]:
    """The worker's name, and the numbers that carry no labels, by name without the common prefix."""
    ours = "\n".join(line for line in text.splitlines() if line.startswith(PREFIX))
    try:
        samples = [sample for family in text_string_to_metric_families(ours + "\n") for sample in family.samples]
    except ValueError as error:
        raise AnswerUnusable("its page is not in the text format of Prometheus") from error
    names = [sample.labels.get("worker", "") for sample in samples if sample.name == f"{PREFIX}info"]
    return names[0] if names else "", {s.name.removeprefix(PREFIX): s.value for s in samples if not s.labels}


def _count(numbers: Mapping[str, float], name: str) -> int:
    value = numbers.get(name, math.nan)
    if not (0 <= value <= 2**53 and value == int(value)):
        raise AnswerUnusable(f"its page has no usable number for {PREFIX}{name}: is its serve_worker_metrics of another version?")
    return int(value)


def _few(notes: list[str]) -> tuple[str, ...]:
    """The first few notes; the number of the others."""
    rest = len(notes) - NOTES_SHOWN
    return (*notes[:NOTES_SHOWN], *([f"and {rest} more pages without an answer"] if rest > 0 else []))
