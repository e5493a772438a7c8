"""The eyes of the loop: all sources and the list of containers asked at once, and one Observation whatever they do.

The loop's thread calls `look`; one daemon thread runs an asyncio loop for all sources, and one lists the containers, because
that call may hang in the engine's library. Each neighbour has at most one look in flight. `look` waits for all of them together
until its patience ends and goes on with what is there: a late answer is taken up by a later tick, with the time it was asked for.
So a neighbour that hangs costs a tick its patience and nothing more, and leaves behind one waiting look, not one per tick.

`now` is the tick's only wall clock; how long something took is measured by the monotonic one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from autoscaler.errors import SightError
from autoscaler.model import (
    BrokerSight,
    Container,
    ContainerState,
    Health,
    Host,
    Known,
    Observation,
    Policies,
    QueueSight,
    Reading,
    SourceSight,
    Stale,
    Unknown,
)
from autoscaler.sources.aside import in_thread
from autoscaler.sources.births import Births
from autoscaler.sources.circuit import Circuit
from autoscaler.sources.host import HostWatch
from autoscaler.sources.merge import Answer, DepthFrom, merge
from autoscaler.sources.sight import Broker, Sight, Source, Wanted

T = TypeVar("T")

FLEET = "fleet"
HEALTHS = frozenset(Health)
CLOSING_SECONDS = 1.0
NEVER = 0.0
"""`SourceSight.at` of a source that has not answered since the start."""


class Eyes:
    """Looks at everything once per tick; owned by the loop's thread."""

    def __init__(
        self,
        list_containers: Callable[[], tuple[Container, ...]],
        sources: Sequence[Source],
        *,
        depth_from: DepthFrom,
        max_age_seconds: float,
        patience_seconds: float,
    ) -> None:
        self._list_containers = list_containers
        self._host = HostWatch(lambda: None)
        self._fleet: _Watch[tuple[Container, ...]] = _Watch(FLEET)
        self._births = Births()
        self._watches: dict[Source, _Watch[Sight]] = {}
        self._of_brokers: dict[Source, Broker] = {}
        """Those of the sources that are brokers."""
        self._seers = _SourceThread()
        self._pauses: Mapping[str, float] = {}
        self.configure(sources, depth_from=depth_from, max_age_seconds=max_age_seconds, patience_seconds=patience_seconds)

    def configure(self, sources: Sequence[Source], *, depth_from: DepthFrom, max_age_seconds: float, patience_seconds: float) -> None:
        """Take other sources and limits from the next look on.

        Sources that are not among the new ones are closed, and what they still answer is dropped: it was asked under other
        settings. One that stays keeps its last answer.
        """
        gone = [source for source in self._watches if source not in sources]
        self._seers.close(gone, [self._watches[source] for source in gone])
        self._watches = {source: self._watches.get(source) or _Watch(source.name) for source in sources}
        self._of_brokers = {source: source for source in self._watches if isinstance(source, Broker)}
        self._depth_from: DepthFrom = depth_from
        self._max_age = max_age_seconds
        self._patience = patience_seconds

    def rest(self, pauses: Mapping[str, float]) -> None:
        """From the next look on leave these brokers alone for so many seconds after each question; their last answers stand."""
        self._pauses = pauses

    def watch_host(self, ask: Callable[[], Host | None]) -> None:
        """Ask this about the machine under the workers, too, from the next look on."""
        self._host = HostWatch(ask)

    def look(self, policies: Policies, now: float) -> Observation:
        """Ask everybody who is not still being asked, wait at most the patience, and put together what is there."""
        wanted = Wanted(now, _queues(policies), self._running())
        self._fleet.ask(now, partial(in_thread, partial(_called, self._list_containers), "list-containers"))
        for source, watch in self._watches.items():
            broker = self._of_brokers.get(source)
            pause = self._pauses.get(broker.broker, 0.0) if broker else 0.0
            watch.ask(now, partial(self._begin, source, wanted), pause)
        watches: list[_Watch[Any]] = [*self._watches.values(), self._fleet]
        asked: list[Future[Any]] = [watch.flight.future for watch in watches if watch.flight]
        wait([*asked, *self._host.look()], timeout=self._patience)
        for watch in watches:
            watch.take_up()
        elsewhere = list(self._of_brokers)[1:]
        told = {watch.name: watch.told() for source, watch in self._watches.items() if source not in elsewhere}
        queues, workers = merge(wanted.queues, told, depth_from=self._depth_from, now=now, max_age_seconds=self._max_age)
        brokers = self._brokers(wanted, queues)
        told_by = tuple(watch.sight() for watch in watches)
        return Observation(now, queues, workers, self._containers(now), told_by, brokers, host=self._host.reading(now))

    def shift(self, seconds: float) -> None:
        """The wall clock was set by so much: what is known, and what is being asked, is as old as it was."""
        self._births.shift(seconds)
        self._fleet.shift(seconds)
        for watch in self._watches.values():
            watch.shift(seconds)

    def close(self) -> None:
        """Cancel what is in flight, close the sources and end the thread, within 2 s even if one of them hangs."""
        self._seers.close(list(self._watches), list(self._watches.values()))
        self._watches = {}
        self._seers.stop()

    def _begin(self, source: Source, wanted: Wanted) -> Future[_Looked[Sight]]:
        return self._seers.start(_looked(source.look(wanted), self._max_age))

    def _running(self) -> tuple[Container, ...]:
        return tuple(c for c in self._fleet.answer.value or () if c.state is ContainerState.RUNNING)

    def _brokers(self, wanted: Wanted, queues: Mapping[str, QueueSight]) -> dict[str, BrokerSight]:
        """Every broker with what waits on it; on the first of them, what was put together with Flower's word."""
        found: dict[str, BrokerSight] = {}
        for source, broker in self._of_brokers.items():
            watch = self._watches[source]
            told = {watch.name: watch.told()}
            there = queues if not found else merge(
                wanted.queues, told, depth_from="broker", now=wanted.now, max_age_seconds=self._max_age
            )[0]  # fmt: skip
            served = watch.answer.value.served if watch.answer.value else None
            found[broker.broker] = BrokerSight(
                broker.broker, watch.health(), watch.answer.error, watch.is_fresh, there, broker.commands_sent, served
            )
        return found

    def _containers(self, now: float) -> Reading[tuple[Container, ...]]:
        """The list is acted on only in the tick in which it came: an old one may name what is gone, and miss what was started."""
        reading = self._fleet.told().reading(now, self._max_age)
        if isinstance(reading, Unknown):
            return reading
        reading = replace(reading, value=self._births.dated(reading.value, now))
        if isinstance(reading, Known) and not self._fleet.is_fresh:
            return Stale(reading.value, reading.at, reading.source, self._fleet.waiting())
        return reading


# ---------------------------------------------------------------- one look at one neighbour


@dataclass(frozen=True, slots=True)
class _Looked(Generic[T]):
    """How a look ended: a value, or why there is none."""

    seconds: float
    value: T | None = None
    error: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class _Flight(Generic[T]):
    """A look that has not been taken up yet."""

    future: Future[_Looked[T]]
    asked_at: float
    began: float


class _Watch(Generic[T]):
    """What is known of one neighbour: its newest answer, and the one look that may be in flight."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.flight: _Flight[T] | None = None
        self.answer: Answer[T] = Answer(name, NEVER)
        self.is_fresh = False
        """Whether an answer, good or bad, came since the look before."""
        self.is_resting = False
        """It was left alone in this look, on purpose."""
        self._circuit = Circuit()
        self._asked_at: float | None = None
        self._seconds = 0.0

    def ask(self, now: float, start: Callable[[], Future[_Looked[T]]], pause_seconds: float = 0.0) -> None:
        """Begin a look, unless one is in flight or the last one is too young; one that ended since the last tick is taken up first."""
        self.is_fresh = False
        self.take_up()
        if self.flight is not None:
            return
        pause_seconds = max(pause_seconds, self._circuit.pause_seconds)
        self.is_resting = self._asked_at is not None and 0 <= now - self._asked_at < pause_seconds
        if not self.is_resting:
            self.flight, self._asked_at = _Flight(start(), now, time.monotonic()), now

    def take_up(self) -> None:
        """Make the look in flight, if it has ended, the newest answer; a failed one leaves the last value in place."""
        if not self.flight or not self.flight.future.done():
            return
        flight, self.flight = self.flight, None
        if flight.future.cancelled():
            return
        looked = flight.future.result()
        self.is_fresh, self._seconds = True, looked.seconds
        good = looked.value is not None
        self._circuit.tell(answered=good)
        self.answer = Answer(
            self.name,
            asked_at=flight.asked_at if good else self.answer.asked_at,
            value=looked.value if good else self.answer.value,
            error=looked.error,
            kind=looked.kind,
        )

    def shift(self, seconds: float) -> None:
        """Move the times of the answer and of the look in flight along with a clock that was set."""
        if self.answer.value is not None:
            self.answer = replace(self.answer, asked_at=self.answer.asked_at + seconds)
        if self.flight:
            self.flight = replace(self.flight, asked_at=self.flight.asked_at + seconds)

    def told(self) -> Answer[T]:
        """The newest answer; of a neighbour that has never spoken, how long it has been silent."""
        if self.answer.value is None and not self.answer.error:
            return Answer(self.name, NEVER, error=self.waiting())
        return replace(self.answer, resting=True) if self.is_resting else self.answer

    def waiting(self) -> str:
        """How long the look in flight has been waited for, in words."""
        return f"has not answered for {self._waited():.1f} s"

    def health(self) -> Health:
        """How the newest answer says that this neighbour is doing, if it is a broker."""
        if self.answer.error:
            return Health(self.answer.kind) if self.answer.kind in HEALTHS else Health.UNUSABLE
        return Health.UNKNOWN if self.answer.value is None else Health.UP

    def sight(self) -> SourceSight:
        """How it answered, for status and metrics."""
        trouble = self.answer.error or ("" if self.is_fresh or self.is_resting else self.waiting())
        detail = trouble and trouble + self._circuit.words
        notes, whole = (value.notes, value.whole) if isinstance(value := self.answer.value, Sight) else ((), True)
        return SourceSight(
            name=self.name,
            up=not detail and whole,
            detail=detail or "; ".join(notes),
            seconds=self._seconds if self.is_fresh else self._waited(),
            at=self.answer.asked_at,
            asked=not self.is_resting,
            circuit_open=self._circuit.is_open,
        )

    def _waited(self) -> float:
        return time.monotonic() - self.flight.began if self.flight else 0.0


async def _looked(look: Awaitable[T], limit_seconds: float) -> _Looked[T]:
    """The end of a look as a value. Sources have deadlines of their own; the limit here only frees one that forgot."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(limit_seconds):
            value = await look
    except Exception as error:
        return _Looked(time.monotonic() - began, error=_words(error), kind=_kind(error))
    return _Looked(time.monotonic() - began, value)


def _called(call: Callable[[], T]) -> _Looked[T]:
    """The same of a call that blocks."""
    began = time.monotonic()
    try:
        value = call()
    except Exception as error:
        return _Looked(time.monotonic() - began, error=_words(error))
    return _Looked(time.monotonic() - began, value)


def _words(error: Exception) -> str:
    """An expected trouble speaks for itself; anything else is a fault of ours, named by its type because its text may hold a secret."""
    if isinstance(error, SightError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "did not answer in time"
    return f"the look failed by a fault of the autoscaler itself ({type(error).__name__}): please report it"


def _kind(error: Exception) -> str:
    return error.kind if isinstance(error, SightError) else Health.TIMEOUT if isinstance(error, TimeoutError) else ""


def _queues(policies: Policies) -> tuple[str, ...]:
    return tuple(dict.fromkeys(queue for pool in policies.pools.values() for queue in pool.queues))


# ---------------------------------------------------------------- the sources' thread


class _SourceThread:
    """One daemon thread with one asyncio loop, in which all looks at sources run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sources", daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin a piece of work there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self, sources: Sequence[Source], watches: Sequence[_Watch[Sight]]) -> None:
        """Cancel the looks in flight and close the sources, as far as they let us."""
        for watch in watches:
            if watch.flight:
                watch.flight.future.cancel()
        if sources:
            wait([self.start(_closed(source)) for source in sources], timeout=CLOSING_SECONDS)

    def stop(self) -> None:
        """End the thread; one that hangs in a source is left to the end of the process."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSING_SECONDS / 2)

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()


async def _closed(source: Source) -> None:
    """Close one source; how it fails is of no interest any more."""
    try:
        async with asyncio.timeout(CLOSING_SECONDS):
            await source.close()
    except Exception:  # noqa: S110 - it is being thrown away
        pass
