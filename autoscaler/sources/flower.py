"""Flower as a source: four of its pages asked at once under one deadline, and put together as one `Sight`.

Hands on queue depths and the voices of workers. Only pages that Flower answers from memory are asked, besides the queue lengths;
never `refresh=1`, which costs the broker 13 commands per worker and brings `active` and `reserved` under a false fresh time stamp.
Trouble with one page becomes a note or a gap and does not hide the others; only when nothing usable came is there an error.

A heartbeat's time is of Flower's clock, which may differ from ours by hours. So only its movement counts: a worker was heard at
the look that found its newest heartbeat changed. What was never seen to move since our start has no such time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx

from autoscaler.config.models import FlowerSettings
from autoscaler.errors import AnswerUnusable, SightError
from autoscaler.sources.fetch import Answer, fetch, new_client, place
from autoscaler.sources.flower_consumers import Strangers, consumers
from autoscaler.sources.flower_pages import Beat, Numbers, Page, beats, numbers, queue_lengths, shown, statuses
from autoscaler.sources.sight import Sight, Voice, Wanted

T = TypeVar("T")

QUEUES, STATUS, WORKERS, METRICS = "/api/queues/length", "/api/workers?status=1", "/workers?json=1", "/metrics"
CONSUMERS = "/api/workers"
LONGEST_PAUSE_SECONDS = 300.0
NOT_LISTED = (
    "Flower lists a queue only while a worker that it has inspected consumes it; "
    "add the broker under `brokers:` so that this queue can be read directly"
)
API_CLOSED = (
    "Flower refuses its API: start it with --basic-auth and give username/password_file here, "
    "or set FLOWER_UNAUTHENTICATED_API=true in Flower's environment"
)

PATIENCE_SECONDS = 10.0
"""How long a heartbeat may stand still from the first look on before that counts as silence."""


@dataclass(frozen=True, slots=True)
class _Pulse:
    """What is remembered of one worker from look to look."""

    newest: float | None
    since: float
    """When this newest heartbeat was first seen."""
    moved: bool
    """It was seen to come; otherwise it stood there on the first look, and may be of any age."""

    def heard_at(self, now: float) -> float | None:
        """When the worker was last heard: unknown at first, but a heartbeat that keeps standing still was at best heard then."""
        if self.newest is None or not (self.moved or now - self.since > PATIENCE_SECONDS):
            return None
        return self.since


class FlowerSource:
    """Reads one Flower; keeps one client and, per listed worker, its last heartbeat."""

    name = "flower"

    def __init__(self, settings: FlowerSettings, *, depths: bool = True) -> None:
        """`depths=False`: the queue lengths, each of which costs the broker several commands, are never asked for."""
        self._depths = depths
        self._base = settings.url.rstrip("/")
        self._deadline = settings.timeout
        self._client, self._credentials = client_for(settings)
        self._pulses: Mapping[str, _Pulse] | None = None
        self._quiet_until = 0.0
        self._strangers = Strangers()

    async def look(self, wanted: Wanted) -> Sight:
        """Ask all pages at once and put together what came; raises the first refusal when nothing usable did."""
        if 0 < (left := self._quiet_until - wanted.now) <= LONGEST_PAUSE_SECONDS:  # more is a clock that was set back
            raise AnswerUnusable(f"Flower asked to be left alone for {left:.0f} s more")
        lengths, status, workers, metrics, _ = await asyncio.gather(
            self._page(QUEUES, queue_lengths, wanted.now) if self._depths else _unasked(),
            self._page(STATUS, statuses, wanted.now),
            self._page(WORKERS, beats, wanted.now),
            self._page(METRICS, numbers, wanted.now),
            self._ask_of_strangers(wanted.now),
        )
        online = _online(status, workers)
        ours = {container.worker for container in wanted.containers}
        self._strangers.meet(name for name, up in online.items() if up and name not in ours)
        if isinstance(status, SightError) and isinstance(lengths if self._depths else workers, SightError) and not online:
            raise status
        depths = {queue: n for queue, n in _entries(lengths).items() if queue in wanted.queues}
        return Sight(
            queues=depths,
            voices=self._voices(online, workers, _entries(metrics), wanted.now),
            gaps={queue: _gap(queue, lengths) for queue in wanted.queues if queue not in depths},
            notes=_notes(lengths, status, workers, metrics),
            whole=not isinstance(lengths, SightError) and not isinstance(status, SightError),
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _ask_of_strangers(self, now: float) -> None:
        """Which queues others' workers consume; trouble with it costs nothing but that knowledge."""
        if self._strangers.wants(now):
            self._strangers.learn(_entries(await self._page(CONSUMERS, consumers, now)), now)

    async def _page(self, path: str, read: Callable[[Answer], Page[T]], now: float) -> Page[T] | SightError:
        """One page read, or why not: as a value, so that the others are not lost with it."""
        url = self._base + path
        try:
            answer = await fetch(self._client, url, deadline_seconds=self._deadline)
            if answer.status in (429, 503) and answer.retry_after_seconds:
                self._quiet_until = now + min(answer.retry_after_seconds, LONGEST_PAUSE_SECONDS)
            if answer.status != 200:
                raise AnswerUnusable(_refusal(answer, url, path, self._credentials))
            return read(answer)
        except SightError as error:
            return error

    def _voices(
        self, online: Mapping[str, bool | None], workers: Page[Beat] | SightError, counts: Mapping[str, Numbers], now: float
    ) -> dict[str, Voice]:
        self._pulses = None if isinstance(workers, SightError) else _pulses(self._pulses, workers.entries, now)
        heard = self._pulses or {}
        seen = _entries(workers)
        heard_at = {name: pulse.heard_at(now) for name, pulse in heard.items()}
        voices = {name: _voice(name, up, seen.get(name), counts.get(name, Numbers()), heard_at.get(name)) for name, up in online.items()}
        return voices | self._strangers.told(voices)


async def _unasked() -> Page[int]:
    return Page({})


def client_for(settings: FlowerSettings) -> tuple[httpx.AsyncClient, bool]:
    """A client for this Flower, and whether it carries credentials."""
    password = settings.password.get_secret_value() if settings.password else ""
    auth = httpx.BasicAuth(settings.username, password) if settings.username else None
    headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"} if settings.token else {}
    return new_client(auth=auth, headers=headers), bool(auth or headers or "@" in settings.url)


def _online(status: Page[bool] | SightError, workers: Page[Beat] | SightError) -> Mapping[str, bool | None]:
    """Every worker that Flower lists; the workers page says the same as the API and may be open while the API is closed."""
    by_page: dict[str, bool | None] = {name: beat.online for name, beat in _entries(workers).items()}
    return by_page if isinstance(status, SightError) else {**by_page, **status.entries}


def _pulses(before: Mapping[str, _Pulse] | None, workers: Mapping[str, Beat], now: float) -> dict[str, _Pulse]:
    """Who moved since the last look; only workers listed now are kept, so that names that are never reused cannot pile up.

    A worker that appears was heard since the last look, for Flower lists it because of an event. On the first look
    there is nothing to compare with, and nobody has been heard yet.
    """
    pulses = {}
    for name, beat in workers.items():
        last = (before or {}).get(name)
        if last is None or last.newest != beat.newest:
            pulses[name] = _Pulse(beat.newest, now, moved=before is not None)
        else:
            pulses[name] = last
    return pulses


def _voice(name: str, online: bool | None, beat: Beat | None, counts: Numbers, heard_at: float | None) -> Voice:
    return Voice(
        name=name,
        online=online,
        running=beat.running if beat and beat.running is not None else counts.running,
        reserved=counts.reserved,
        started=counts.started,
        finished=counts.finished,
        heard_at=heard_at,
        heard_every=beat.every if beat else None,
    )


def _entries(page: Page[T] | SightError) -> Mapping[str, T]:
    return {} if isinstance(page, SightError) else page.entries


def _gap(queue: str, lengths: Page[int] | SightError) -> str:
    """Why a wanted queue has no number."""
    if isinstance(lengths, SightError):
        return str(lengths)
    return next((note for note in lengths.notes if note.endswith(shown(queue))), NOT_LISTED)


def _notes(*pages: Page[int] | Page[bool] | Page[Beat] | Page[Numbers] | SightError) -> tuple[str, ...]:
    """Every page's trouble, each text once."""
    texts = [text for page in pages for text in ((str(page),) if isinstance(page, SightError) else page.notes)]
    return tuple(dict.fromkeys(texts))


def _refusal(answer: Answer, url: str, path: str, credentials: bool) -> str:
    """What a status other than 200 means, and what to do."""
    if answer.status in (401, 403):
        return _unauthorized(answer, credentials)
    if answer.status == 404 and "not supported" in answer.text:
        return f"Flower cannot read the lengths of queues of this broker ({shown(answer.text)}); add the broker under `brokers:`"
    if answer.status == 404:
        return f"nothing at {place(url)} (404): when Flower runs with --url-prefix, write the prefix into flower.url, http://host:5555/prefix"
    if answer.status == 500 and path == QUEUES:
        return (
            "Flower cannot read its broker (500 on the queue lengths): is the broker up, and is Flower's broker address right? "
            "Of a rediss:// url it does not read the part about certificates: set broker_use_ssl in its app"
        )
    return f"{place(url)} answers {answer.status}: look into Flower's log, or that of the proxy before it"


def _unauthorized(answer: Answer, credentials: bool) -> str:
    if "FLOWER_UNAUTHENTICATED_API" in answer.text:
        return API_CLOSED
    if credentials:
        return f"Flower does not accept the credentials given here ({answer.status}): check username and password_file, or the token"
    return f"Flower asks for credentials ({answer.status}): give username and password_file, or a token, under `flower:`"
