"""What Flower's pages say, read without believing them: bytes in, plain checked values out.

`flower.py` asks and hands the answers here. The rule of the file: a value of the wrong type or outside its range is left out
and noted, the values beside it stay; a page of the wrong shape is refused as a whole with `AnswerUnusable`. Nothing that is
missing becomes a zero.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from autoscaler.errors import AnswerUnusable
from autoscaler.sources.fetch import Answer

T = TypeVar("T")
COUNT_LIMIT = 1_000_000_000
"""A greater number of tasks is a fault of the one who counts."""

FINISHED = frozenset({"task-succeeded", "task-failed", "task-retried", "task-rejected"})
"""Events that end one run of a task; a revoked task mostly never began."""

_WANTED_LINES = re.compile(
    rb"^(?:flower_worker_prefetched_tasks|flower_worker_number_of_currently_executing_tasks)\{.*$"
    rb'|^flower_events_total\{.*type="task-(?:started|succeeded|failed|retried|rejected)".*$',
    re.MULTILINE,
)
_SAMPLE = re.compile(r'^(\w+)\{((?:\w+="(?:[^"\\]|\\.)*",?)*)\}[ \t]+(\S+)(?:[ \t]+-?\d+)?[ \t\r]*$', re.MULTILINE)
_WORKER = re.compile(r'(?:^|,)worker="((?:[^"\\]|\\.)*)"')
_TYPE = re.compile(r'(?:^|,)type="((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """The believable part of one page, by queue or by worker, and why the rest is missing."""

    entries: Mapping[str, T]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Beat:
    """One worker on the workers page, as its last events told."""

    online: bool | None
    running: int | None
    newest: float | None
    """Newest event by Flower's own clock: only its movement means anything here."""
    every: float | None
    """Seconds between heartbeats, as the worker announced."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """One worker on the metrics page; None where there is no believable series."""

    running: int | None = None
    reserved: int | None = None
    started: int | None = None
    finished: int | None = None


def queue_lengths(answer: Answer) -> Page[int]:
    """Messages per queue from `/api/queues/length`."""
    listed = json_object(answer, "the queue lengths").get("active_queues")
    if not isinstance(listed, list):
        raise AnswerUnusable('Flower answers the queue lengths without its list "active_queues": is this Flower?')
    entries: dict[str, int] = {}
    notes = []
    for item in listed:
        name, messages = (item.get("name"), count(item.get("messages"))) if isinstance(item, dict) else (None, None)
        if isinstance(name, str) and messages is not None:
            entries[name] = max(messages, entries.get(name, 0))
        else:
            notes.append(f"Flower gives no believable number of messages for queue {shown(name)}")
    return Page(entries, tuple(notes[:5]))


def statuses(answer: Answer) -> Page[bool]:
    """Online or not per worker from `/api/workers?status=1`."""
    listed = json_object(answer, "the workers' status")
    entries = {name: online for name, online in listed.items() if isinstance(online, bool)}
    notes = [f"Flower gives no true or false as the status of worker {shown(name)}" for name in listed if name not in entries]
    return Page(entries, tuple(notes[:5]))


def beats(answer: Answer) -> Page[Beat]:
    """Heartbeats and running tasks per worker from `/workers?json=1`."""
    listed = json_object(answer, "the workers page").get("data")
    if not isinstance(listed, list):
        raise AnswerUnusable('Flower answers the workers page without its list "data": is this Flower?')
    workers = [item for item in listed if isinstance(item, dict) and isinstance(item.get("hostname"), str)]
    return Page({item["hostname"]: _beat(item) for item in workers})


def _beat(item: Mapping[str, Any]) -> Beat:
    times = item.get("heartbeats")
    known = [t for t in map(_positive, times) if t is not None] if isinstance(times, list) else []
    online = item.get("status")
    return Beat(
        online=online if isinstance(online, bool) else None,
        running=count(item.get("active")),
        newest=max(known, default=None),
        every=_positive(item.get("freq")),
    )


def numbers(answer: Answer) -> Page[Numbers]:
    """Running, prefetched, started and finished tasks per worker from `/metrics`.

    The page grows with tasks times workers, so that only the few lines needed are parsed. Prefetched tasks come per task name and
    are summed per worker; a worker with one unbelievable series has no sum.
    """
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    try:
        for name, labels, value in _samples(answer.body):
            worker, event = _WORKER.search(labels), _TYPE.search(labels) if name == "flower_events_total" else None
            if worker and (field := _field(name, event[1] if event else "")):
                sums[_unescaped(worker[1])][field] += value if value >= 0 else math.nan
    except ValueError as error:
        raise AnswerUnusable("Flower's metrics page cannot be read: it is not in the Prometheus text format") from error
    return Page({worker: Numbers(**{field: _whole(total) for field, total in found.items()}) for worker, found in sums.items()})


def _samples(page: bytes) -> list[tuple[str, str, float]]:
    """Name, labels and value of the lines that are needed, in the Prometheus text format; raises ValueError.

    Written out because the client library's parser takes ten times as long, on the largest page that every tick reads.

    >>> _samples(b'flower_worker_prefetched_tasks{task="a",worker="celery@w1"} 3.0\\nflower_worker_online{worker="x"} 1.0\\n')
    [('flower_worker_prefetched_tasks', 'task="a",worker="celery@w1"', 3.0)]
    """
    lines = _WANTED_LINES.findall(page)
    found = _SAMPLE.findall(b"\n".join(lines).decode("utf-8"))
    if len(found) != len(lines):
        raise ValueError("a line is no sample")
    return [(name, labels, float(value)) for name, labels, value in found]


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], text) if "\\" in text else text


def _field(sample: str, event: str) -> str | None:
    if sample == "flower_worker_prefetched_tasks":
        return "reserved"
    if sample == "flower_worker_number_of_currently_executing_tasks":
        return "running"
    return "started" if event == "task-started" else "finished" if event in FINISHED else None


def json_object(answer: Answer, what: str) -> dict[str, Any]:
    """The JSON object in an answer; a login page with status 200 is the usual disguise of something else."""
    if "html" in answer.content_type:
        raise AnswerUnusable(f"Flower answers {what} with a web page: a login page or another program? Check flower.url and credentials")
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise AnswerUnusable(f"Flower answers {what} with something that is no JSON: does flower.url lead to Flower?") from error
    if not isinstance(found, dict):
        raise AnswerUnusable(f"Flower answers {what} with JSON of another shape: does flower.url lead to Flower?")
    return found


def count(value: object) -> int | None:
    """A whole number of tasks, or None: booleans, negatives, fractions, NaN and 1e18 are no counts.

    >>> count(3), count(True), count(-1), count(3.5), count(10**18)
    (3, None, None, None, None)
    """
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= COUNT_LIMIT else None


def _whole(value: float) -> int | None:
    return count(int(value)) if math.isfinite(value) and value == int(value) else None


def _positive(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        return None
    return float(value)


def shown(value: object) -> str:
    """A foreign text made fit for a line of the operator's log: short, quoted, no control characters."""
    return repr(value)[:80]
