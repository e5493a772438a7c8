"""Joins what the sources said into the readings of an Observation: known, stale or unknown, each with its reason.

`eyes.py` hands over the newest answer of every source; this file holds the rules of belief and nothing else. It reads no clock.

* An answer is believed while it is the newest that its source gave and not older than the limit; when the look after it failed,
  its values are stale: shown, not acted on.
* A queue's depth is the greatest that any believed source gives: where one says zero and another does not, work waits.
* A worker's own page knows best. What Flower says of a worker's tasks counts only while Flower hears that worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

from autoscaler.model import Known, QueueSight, Reading, Stale, Unknown, WorkerSight
from autoscaler.sources.sight import Sight, Voice

T = TypeVar("T")
V = TypeVar("V")
DepthFrom = Literal["auto", "flower", "broker"]

FLOWER = "flower"
PAGES = "workers"
"""Sources whose name begins like this are the workers themselves; every source that is neither is a broker."""
SILENCE_SECONDS = 10.0
"""Five missed heartbeats of the usual 2 s; a worker that announces a slower pulse may be silent for three of its own."""
ALL_OFFLINE = (
    "Flower counts every worker offline at once, which tells of Flower or its broker, not of the workers: "
    "it hears them again by itself once both are back, or restart Flower"
)
DEAF = "Flower hears none of the workers that it calls online: it repeats old answers, so its numbers are not believed; restart Flower"


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The newest that one source gave, and what became of the look after it."""

    source: str
    asked_at: float
    """When the value was asked for; meaningless without one."""
    value: T | None = None
    error: str = ""
    """Why there is nothing newer, in the operator's words; empty while the value is the newest word."""
    kind: str = ""
    """What sort of trouble that is, for those who decide by it."""
    resting: bool = False
    """Its source was left alone on purpose: the value is as good as it was, however old."""

    def reading(self, now: float, max_age_seconds: float) -> Reading[T]:
        """The value as far as it can be believed now.

        >>> Answer("flower", 100.0, 7).reading(now=103.0, max_age_seconds=60.0)
        Known(value=7, at=100.0, source='flower')
        >>> Answer("flower", 100.0, 7).reading(now=190.0, max_age_seconds=60.0).why
        'is 90 s old, and 60 s is the limit'
        """
        if self.value is None:
            return Unknown(self.error or "has not been asked yet", self.source)
        if self.error:
            return Stale(self.value, self.asked_at, self.source, self.error)
        if now - self.asked_at > max_age_seconds and not self.resting:
            why = f"is {now - self.asked_at:.0f} s old, and {max_age_seconds:g} s is the limit"
            return Stale(self.value, self.asked_at, self.source, why)
        return Known(self.value, self.asked_at, self.source)


def merge(
    queues: Sequence[str], answers: Mapping[str, Answer[Sight]], *, depth_from: DepthFrom, now: float, max_age_seconds: float
) -> tuple[dict[str, QueueSight], dict[str, WorkerSight]]:
    """Every wanted queue and every worker that any source knows, as readings."""
    seen = {name: answer.reading(now, max_age_seconds) for name, answer in answers.items()}
    depth = {name: _undeceived(name, sight, max_age_seconds) for name, sight in seen.items() if _gives_depth(name, depth_from)}
    found = {queue: _without_later(_queue(queue, depth, seen), depth, now) for queue in queues}
    heard = [_Witness(name, sight, max_age_seconds) for name, sight in seen.items() if not isinstance(sight, Unknown)]
    heard.sort(key=lambda witness: not witness.is_page)
    names = dict.fromkeys(name for witness in heard for name in witness.voices)
    return found, {name: _worker(name, heard) for name in names}


# ---------------------------------------------------------------- queues


def _gives_depth(source: str, depth_from: DepthFrom) -> bool:
    if source.startswith(PAGES):
        return False
    return depth_from == "auto" or (source == FLOWER) == (depth_from == "flower")


def _queue(queue: str, depth: Mapping[str, Reading[Sight]], seen: Mapping[str, Reading[Sight]]) -> QueueSight:
    waiting: list[Reading[int]] = [_part(sight, sight.value.queues.get(queue), _gap(sight, queue)) for sight in _told(depth)]
    untold = [sight for sight in depth.values() if isinstance(sight, Unknown)]
    unacked = [_part(s, s.value.unacked.get(queue), _gap(s, queue)) for s in _told(seen) if s.value.unacked is not None]
    return QueueSight(
        queue,
        waiting=_greatest([*waiting, *untold]) or Unknown("no source is asked for depths: add the broker under `brokers:`"),
        unacked=_greatest(unacked) or Unknown("no broker is read directly"),
    )


def _without_later(queue: QueueSight, depth: Mapping[str, Reading[Sight]], now: float) -> QueueSight:
    """The queue without the tasks whose time has not come: they wait for that, and for nobody else."""
    times = [sight.value.due.get(queue.queue, ()) for sight in depth.values() if isinstance(sight, Known)]
    later = tuple([at for at in max(times, key=len, default=()) if at > now])
    if not later or not isinstance(queue.waiting, Known):
        return queue
    waiting = replace(queue.waiting, value=max(0, queue.waiting.value - len(later)))
    return replace(queue, waiting=waiting, later=later)


def _undeceived(name: str, sight: Reading[Sight], max_age_seconds: float) -> Reading[Sight]:
    """Flower's depths are doubted while it hears none of the workers that it calls online: then it repeats old answers."""
    if name != FLOWER or not isinstance(sight, Known) or not _Witness(name, sight, max_age_seconds).is_deaf:
        return sight
    return Stale(sight.value, sight.at, sight.source, DEAF)


def _told(seen: Mapping[str, Reading[T]]) -> list[Known[T] | Stale[T]]:
    return [reading for reading in seen.values() if not isinstance(reading, Unknown)]


def _gap(sight: Known[Sight] | Stale[Sight], queue: str) -> str:
    return sight.value.gaps.get(queue) or f"{sight.source} does not list this queue"


def _part(whole: Known[Any] | Stale[Any], value: V | None, gap: str) -> Reading[V]:
    """One value out of an answer: as believable as the answer, unknown where the answer lacks it."""
    if value is None:
        return Unknown(whole.why if isinstance(whole, Stale) else gap, whole.source)
    if isinstance(whole, Stale):
        return Stale(value, whole.at, whole.source, whole.why)
    return Known(value, whole.at, whole.source)


def _greatest(readings: Sequence[Reading[int]]) -> Reading[int] | None:
    """The greatest known number, else the newest stale one, else every reason why there is none."""
    known = [r for r in readings if isinstance(r, Known)]
    stale = [r for r in readings if isinstance(r, Stale)]
    unknown = [r for r in readings if isinstance(r, Unknown)]
    if known:
        return max(known, key=lambda r: r.value)
    if stale:
        return max(stale, key=lambda r: r.at)
    if unknown:
        return Unknown("; ".join(dict.fromkeys(r.why for r in unknown)), ", ".join(dict.fromkeys(r.source for r in unknown)))
    return None


# ---------------------------------------------------------------- workers

FIELDS = ("online", "running", "reserved", "scheduled", "draining", "slots", "started", "finished", "queues")
"""What is asked about a worker, in the order of `WorkerSight`."""


class _Witness:
    """One source's answer about workers, with the doubts that concern all of it."""

    def __init__(self, source: str, sight: Known[Sight] | Stale[Sight], max_age_seconds: float) -> None:
        self.is_page = source.startswith(PAGES)
        self.sight = sight
        self.voices = sight.value.voices
        self._limit = max_age_seconds
        self._made: dict[tuple[type, Any], Reading[Any]] = {}
        self._hears_beats = any(voice.heard_at is not None for voice in self.voices.values())
        self._all_offline = len(self.voices) > 1 and all(voice.online is False for voice in self.voices.values())

    @property
    def is_deaf(self) -> bool:
        """Whether it calls workers online and has heard none of them for too long."""
        online = [voice for voice in self.voices.values() if voice.online]
        return self._hears_beats and bool(online) and all(voice.heard_at is not None and self._silence(voice) for voice in online)

    def testimony(self, voice: Voice) -> tuple[Reading[Any], ...]:
        """What it says about one worker, in the order of FIELDS."""
        if self.is_page:
            return self._parts(voice, FIELDS, "the worker's own page does not say")
        online = _part(self.sight, voice.online, "Flower does not say whether it is online")
        if voice.online is not True:
            if self._all_offline and isinstance(online, Known):
                online = Stale(online.value, online.at, online.source, ALL_OFFLINE)
            return (online, *[Unknown(self._why_unheard(voice), self.sight.source)] * (len(FIELDS) - 1))
        said = (online, *self._parts(voice, FIELDS[1:], "Flower does not say"))
        doubt = self._silence(voice)
        return tuple(Stale(r.value, r.at, r.source, doubt) if isinstance(r, Known) else r for r in said) if doubt else said

    def _parts(self, voice: Voice, fields: Sequence[str], gap: str) -> tuple[Reading[Any], ...]:
        return tuple(self._reading(getattr(voice, field), gap) for field in fields)

    def _reading(self, value: Any, gap: str) -> Reading[Any]:
        """One value of this answer; equal ones share one reading, because a fleet says the same thing hundreds of times."""
        key = (value.__class__, value)
        if (made := self._made.get(key)) is None:
            made = self._made[key] = _part(self.sight, value, gap)
        return made

    def _silence(self, voice: Voice) -> str:
        """Why an online worker counts as silent, empty when it does not.

        Where no heartbeat was seen to move at all, on the first look or because the workers page is closed to us, Flower's
        `status` is believed: it is itself true only within two heartbeats of the last, measured on Flower's own clock.
        """
        if not self._hears_beats:
            return ""
        if voice.heard_at is None:
            return "Flower calls it online, and no heartbeat of it has been seen yet"
        silent = self.sight.at - voice.heard_at
        limit = min(max(SILENCE_SECONDS, 3 * (voice.heard_every or 0.0)), self._limit)
        return f"Flower calls it online, and has not heard it for {silent:.0f} s" if silent > limit else ""

    def _why_unheard(self, voice: Voice) -> str:
        if self._all_offline:
            return ALL_OFFLINE
        if voice.online is False:
            return "Flower counts it offline: it may be draining or cut off, so what it runs cannot be seen"
        return "Flower does not say whether it is online"


def _worker(name: str, witnesses: Sequence[_Witness]) -> WorkerSight:
    told = [witness.testimony(witness.voices[name]) for witness in witnesses if name in witness.voices]
    return WorkerSight(name, *(told[0] if len(told) == 1 else map(_first, zip(*told, strict=True))))


def _first(readings: Sequence[Reading[Any]]) -> Reading[Any]:
    """The first that is known, else the first stale, else the first reason why not: pages come before Flower."""
    for kind in (Known, Stale):
        for reading in readings:
            if isinstance(reading, kind):
                return reading
    return readings[0]
