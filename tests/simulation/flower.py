"""The simulated Flower: its four free pages as Flower 2.2 gives them, from what it has heard, and how it lies.

`fetch` stands where the sources' own `fetch` stands: one GET and its whole answer. It serves the workers' own pages, too.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from autoscaler.errors import AnswerUnusable, SourceUnreachable
from autoscaler.sources.fetch import Answer, place

from .broker import Broker, Health
from .engine import Docker
from .machine import Machine
from .worker import Worker

BEAT_SECONDS = 2.0
OFFLINE_SECONDS = 3.2
"""After the last heartbeat a worker is called offline."""
INSPECTED_SECONDS = 1.2
"""After Flower first hears of a worker it lists its queues."""


@dataclass(slots=True)
class Heard:
    """What Flower knows of one worker."""

    worker: Worker
    since: float
    lives: bool = True
    """Its events come."""
    beat: float = 0.0
    """The last one that came, once they no longer do."""
    said_goodbye: bool = False
    started: int = 0
    finished: int = 0
    missed: tuple[int, int] = (0, 0)
    """(started, finished) that Flower was not there to count."""


@dataclass(slots=True)
class Trouble:
    """What is wrong with Flower at this moment."""

    down: bool = False
    hangs: bool = False
    latency: float = 0.0
    status: int = 200
    retry_after: float | None = None
    garbage: bytes | None = None
    """Every page is this, as text/html."""
    empty: bool = False
    """Every page is an empty object of the right kind."""
    stale: bool = False
    """Every page is as it was."""
    zeroes: bool = False
    """Every queue is said to be empty."""
    nonsense: int | None = None
    """Every queue is said to have so many messages."""
    missing: bool = False
    """Every other worker is missing."""
    deaf: bool = False
    """It hears no event any more."""
    pages: tuple[str, ...] = ()
    """The trouble is with these pages only; empty: with all."""


@dataclass(slots=True)
class Flower:
    """One Flower."""

    machine: Machine
    broker: Broker
    docker: Docker
    lists_all: bool
    """Its app names all queues; otherwise it lists a queue only while a worker that it knows consumes it."""
    queues: tuple[str, ...]
    trouble: Trouble = field(default_factory=Trouble)
    heard: dict[str, Heard] = field(default_factory=dict)
    forgot_at: float = 0.0
    read: Callable[[str, str], None] = lambda broker, queue: None
    """Told of every queue whose length the daemon is given."""
    read_old: Callable[[str, float], None] = lambda queue, since: None
    """The same, of pages that have stood still since then."""
    kept_since: float = 0.0
    kept: dict[str, bytes] = field(default_factory=dict)
    """The pages as they were last, for the time when they stand still."""

    def restart(self) -> None:
        """It forgets everything, and hears of each living worker with its next heartbeat."""
        self.heard, self.forgot_at = {}, self.machine.now
        for box in self.docker.boxes.values():
            if box.worker and box.worker.is_heard:
                self.machine.later(BEAT_SECONDS / 2, self.listen, box.worker)

    def listen(self, worker: Worker) -> None:
        """A worker begins or ceases to be heard, or can be heard again."""
        name, now = f"celery@{worker.name}", self.machine.now
        known, lives = self.heard.get(name), self._can_hear(worker)
        if known is None:
            if lives:
                missed = (worker.started, worker.finished) if self.forgot_at > (worker.ready_at or 0.0) else (0, 0)
                self.heard[name] = Heard(worker, now, missed=missed)
        elif known.lives and not lives:
            known.beat, known.lives = self._beat(known), False
            known.said_goodbye = worker.state in ("draining", "leaving")
            known.started, known.finished = self._counted(known)
        elif lives and not known.lives:
            known.lives, known.said_goodbye = True, False
            known.missed = (worker.started - known.started, worker.finished - known.finished)

    def listen_to_all(self) -> None:
        """The broker or Flower came back, or went away."""
        for box in self.docker.boxes.values():
            if box.worker and box.worker.ready_at is not None:
                self.listen(box.worker)

    def _can_hear(self, worker: Worker) -> bool:
        if worker.broker is not self.broker:
            return False  # events travel through the broker, and Flower listens to one
        return worker.is_heard and not self.trouble.deaf and not self.trouble.down and self.broker.health is Health.UP

    def _beat(self, known: Heard) -> float:
        """The worker's last heartbeat: they come in a fixed rhythm."""
        if not known.lives:
            return known.beat
        start = max(known.since, known.worker.ready_at or 0.0)
        return start + (self.machine.now - start) // BEAT_SECONDS * BEAT_SECONDS

    @staticmethod
    def _counted(known: Heard) -> tuple[int, int]:
        if not known.lives:
            return known.started, known.finished
        return known.worker.started - known.missed[0], known.worker.finished - known.missed[1]

    def _online(self, known: Heard) -> bool:
        return known.lives or (not known.said_goodbye and self.machine.now - known.beat < OFFLINE_SECONDS)

    # -------------------------------------------------------- pages

    async def answer(self, path: str, deadline_seconds: float) -> Answer:
        """One page, as the trouble lets it be."""
        trouble = self.trouble
        page = path.partition("?")[0]
        if trouble.down:
            raise SourceUnreachable("cannot reach Flower: connection refused; is it running and listening there?")
        if trouble.pages and page not in trouble.pages:
            trouble = Trouble()
        if trouble.hangs or trouble.latency >= deadline_seconds:
            await asyncio.sleep(deadline_seconds)
            raise SourceUnreachable(f"{place('http://flower' + path)} did not answer in full within {deadline_seconds:g} s")
        if trouble.latency:
            await asyncio.sleep(trouble.latency)
        if trouble.status >= 300:
            if trouble.status < 400:
                raise AnswerUnusable("Flower sends us on to a login page: redirects are not followed")
            return Answer(trouble.status, "text/plain", b"", trouble.retry_after)
        if trouble.garbage is not None:
            return Answer(200, "text/html", trouble.garbage)
        if trouble.stale and page == "/api/queues/length":
            for queue in self.queues:
                self.read_old(queue, self.kept_since)
        elif page == "/api/queues/length":
            self.kept_since = self.machine.now
        if not trouble.stale or path not in self.kept:
            self.kept[path] = self._page(page, trouble)
            if self.kept[path] == b"broker":
                return Answer(500, "text/html", b"")
        return Answer(200, "text/plain" if page == "/metrics" else "application/json", self.kept[path])

    def _page(self, page: str, trouble: Trouble) -> bytes:
        known = [] if trouble.empty else list(self.heard.items())
        known = known[::2] if trouble.missing else known
        match page:
            case "/api/queues/length":
                if self.broker.health is not Health.UP:
                    return b"broker"
                return _json({"active_queues": [] if trouble.empty else [self._queue(q, trouble) for q in self._listed()]})
            case "/api/workers":
                return _json({name: self._online(heard) for name, heard in known})
            case "/workers":
                return _json({"data": [self._row(name, heard) for name, heard in known]})
        return "".join(self._series(name, heard) for name, heard in known).encode()

    def _listed(self) -> tuple[str, ...]:
        if self.lists_all:
            return self.queues
        now = self.machine.now
        consumed = {q for heard in self.heard.values() if now - heard.since > INSPECTED_SECONDS for q in heard.worker.queues}
        return tuple(sorted(consumed))

    def _queue(self, queue: str, trouble: Trouble) -> dict[str, Any]:
        length = len(self.broker.lists.get(queue, ()))
        self.read(self.broker.name, queue)
        return {"name": queue, "messages": 0 if trouble.zeroes else length if trouble.nonsense is None else trouble.nonsense}

    def _row(self, name: str, known: Heard) -> dict[str, Any]:
        beat = self._beat(known)
        return {
            "hostname": name,
            "status": self._online(known),
            "active": known.worker.running_at(beat),
            "heartbeats": [beat + self.machine.wall_offset],
            "freq": BEAT_SECONDS,
        }

    def _series(self, name: str, known: Heard) -> str:
        started, finished = self._counted(known)
        reserved = len(known.worker.prefetched) if known.lives else 0
        return (
            f'flower_worker_prefetched_tasks{{task="t",worker="{name}"}} {reserved}.0\n'
            f'flower_events_total{{task="t",type="task-started",worker="{name}"}} {started}.0\n'
            f'flower_events_total{{task="t",type="task-succeeded",worker="{name}"}} {finished}.0\n'
        )


def worker_page(worker: Worker) -> bytes:
    """What `autoscaler.contrib.celery` serves in a worker."""
    numbers = {
        "ready": int(worker.state == "ready"),
        "draining": int(worker.state in ("draining", "leaving")),
        "running_tasks": len(worker.running),
        "reserved_tasks": len(worker.prefetched),
        "scheduled_tasks": len(worker.scheduled),
        "slots": worker.slots,
        "tasks_started_total": worker.started,
        "tasks_finished_total": worker.finished,
    }
    lines = [f'autoscaler_worker_info{{worker="celery@{worker.name}"}} 1.0']
    lines += [f"autoscaler_worker_{name} {value}.0" for name, value in numbers.items()]
    return ("\n".join(lines) + "\n").encode()


def make_fetch(flower: Flower, docker: Docker, gate: Callable[[str], None]) -> Callable[..., Any]:
    """What the sources use instead of `fetch`."""

    async def fetch(_client: object, url: str, *, deadline_seconds: float, limit_bytes: int = 0) -> Answer:
        host, _, path = url.removeprefix("http://").partition("/")
        gate(f"{host} is asked")
        if host.startswith("flower"):
            answer = await flower.answer(f"/{path}", deadline_seconds)
        else:
            answer = await _of_worker(docker, host.partition(":")[0], deadline_seconds, flower.machine)
        gate(f"{host} has answered")
        return answer

    return fetch


async def _of_worker(docker: Docker, address: str, deadline_seconds: float, machine: Machine) -> Answer:
    box = docker.at(address)
    worker = box.worker if box else None
    if worker is None or worker.ready_at is None:
        raise SourceUnreachable(f"cannot reach http://{address}: connection refused; is it running and listening there?")
    if worker.hung:
        await asyncio.sleep(deadline_seconds)
        raise SourceUnreachable(f"http://{address} did not answer in full within {deadline_seconds:g} s")
    return Answer(200, "text/plain", worker_page(worker))


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
