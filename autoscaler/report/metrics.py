"""The record as Prometheus metrics: what happened is counted here, what is comes from `gauges.py` at each scrape.

The loop hands every record to `Metrics.record`; the web room calls `render`. Counters exist at 0 for every configured pool and
every enumerated label, because `increase()` cannot see the first event of a series that begins with it. Label values come only
from the configuration or from enumerations, so that nobody outside can grow this page.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import product

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder, generate_latest

from autoscaler.model import ActionKind, BrokerChoice, Failure, Memory, Record, Result
from autoscaler.policy.reasons import Reason
from autoscaler.report.gauges import PREFIX, Gauges
from autoscaler.report.lessons import Drained, Failed, Interrupted, Lesson, Lessons, Started
from autoscaler.report.series import Counter, Family, Histogram, page
from autoscaler.report.snapshot import Snapshot

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "other"
LOOKS = ("success", "error")
DIRECTIONS = ("up", "down", "none")
REASONS = (*(reason.value for reason in Reason), OTHER)
ENDS = tuple(result.value for result in Result if result is not Result.PENDING)
METHODS = ("GET", "HEAD", "POST", OTHER)
MOST_SOURCES = 20
MOST_ROUTES = 50

_START = (0.5, 1, 2, 3, 5, 8, 13, 20, 30, 45, 60, 120, 300)
_DRAIN = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
_TICK = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LOOK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

OPENMETRICS = "application/openmetrics-text"
END = b"# EOF\n"
"""The last line of a page in OpenMetrics."""

Children = tuple[tuple[Counter | Histogram, tuple[tuple[str, ...], ...]], ...]
"""Metrics with the values of the labels behind their first one: all series that a pool or a source has."""


class Metrics:
    """Everything on the /metrics page, in a registry of its own."""

    def __init__(self, snapshot: Callable[[], Snapshot | None]) -> None:
        self._snapshot = snapshot
        self._lessons = Lessons()
        self._lock = threading.Lock()
        self._pools: set[str] = set()
        self._sources: set[str] = set()
        self._routes: set[str] = set()
        self._gauges = Gauges(snapshot)
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        self._families: list[Family] = []

        def counter(name: str, text: str, *labels: str) -> Counter:
            self._families.append(made := Counter(PREFIX + name, text, labels))
            return made

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            self._families.append(made := Histogram(PREFIX + name, text, buckets, labels))
            return made

        self._decisions = counter("decisions", "Decisions, one per pool and tick.", "pool", "direction", "reason")
        self._actions = counter("actions", "Actions on workers that ended.", "pool", "action", "outcome")
        self._failures = counter("worker_failures", "Workers that ended or failed to begin unasked.", "pool", "reason")
        self._interrupted = counter("tasks_interrupted", "Running tasks cut off by a kill.", "pool")
        self._start = histogram("worker_start_seconds", "Container created to worker first heard.", _START, "pool")
        self._drain = histogram("worker_drain_seconds", "Worker asked to leave to container gone.", _DRAIN, "pool")
        self._tick = histogram("tick_seconds", "One whole tick.", _TICK)
        self._looks = counter("source_requests", "Looks at a source.", "source", "outcome")
        self._look = histogram("source_request_seconds", "One look at a source.", _LOOK, "source")
        self._failovers = counter("broker_failovers", "Changes of the active broker, by the one that took over.", "broker")
        self._http = counter("http_requests", "Requests to this server.", "route", "method", "code")
        self._of_pool: Children = (
            (self._decisions, (DIRECTIONS, REASONS)),
            (self._actions, (tuple(ActionKind), ENDS)),
            (self._failures, (tuple(Failure),)),
            (self._interrupted, ()),
            (self._start, ()),
            (self._drain, ()),
        )
        self._of_source: Children = ((self._looks, (LOOKS,)), (self._look, ()))

    def record(self, record: Record, memory: Memory) -> None:
        """Count one record; called by the loop after each tick, in order."""
        with self._lock:
            self._follow({pool.pool for pool in record.decision.pools})
            for pool in record.decision.pools:
                reason = pool.reason if pool.reason in REASONS else OTHER
                self._decisions.labels(pool.pool, pool.direction, reason).inc()
            for outcome in record.outcomes:
                if outcome.result is not Result.PENDING and outcome.action.pool in self._pools:
                    self._actions.labels(outcome.action.pool, outcome.action.kind, outcome.result).inc()
            for lesson in self._lessons.learn(record, memory):
                if lesson.pool in self._pools:
                    self._count(lesson)
            self._count_looks(record)
            self._count_failover(record.decision.brokers)

    def observe_tick(self, seconds: float) -> None:
        """How long one whole tick took."""
        self._tick.labels().observe(seconds)

    def count_request(self, route: str, method: str, code: int) -> None:
        """One answered HTTP request, by the template of its route."""
        with self._lock:
            if route not in self._routes and len(self._routes) >= MOST_ROUTES:
                route = OTHER
            self._routes.add(route)
        self._http.labels(route, method if method in METHODS else OTHER, str(int(code))).inc()

    def render(self, accept: str) -> tuple[bytes, str]:
        """The page and its content type, in the format that the scraper prefers."""
        if snapshot := self._snapshot():
            with self._lock:
                self._follow(self._pools | set(snapshot.policies.pools))
        try:
            encoder, content_type = choose_encoder(accept)
        except (ValueError, TypeError, IndexError):  # an Accept header that nobody can read asks for nothing special
            encoder, content_type = generate_latest, PLAIN
        openmetrics = content_type.startswith(OPENMETRICS)
        own = page((*self._gauges.families(), *self._families), openmetrics=openmetrics).encode()
        return own + encoder(self._process).removesuffix(END) + (END if openmetrics else b""), content_type

    def _count(self, lesson: Lesson) -> None:
        match lesson:
            case Started(pool, seconds):
                self._start.labels(pool).observe(seconds)
            case Drained(pool, seconds):
                self._drain.labels(pool).observe(seconds)
            case Failed(pool, reason):
                self._failures.labels(pool, reason).inc()
            case Interrupted(pool, tasks):
                self._interrupted.labels(pool).inc(tasks)

    def _count_looks(self, record: Record) -> None:
        sights = record.observation.sources[:MOST_SOURCES]
        names = {sight.name for sight in sights}
        _forget(self._of_source, self._sources - names)
        _expect(self._of_source, names - self._sources)
        self._sources = names
        for sight in [sight for sight in sights if sight.asked]:
            self._looks.labels(sight.name, LOOKS[0] if sight.up else LOOKS[1]).inc()
            self._look.labels(sight.name).observe(sight.seconds)

    def _count_failover(self, choice: BrokerChoice) -> None:
        for name in choice.tracks:
            self._failovers.labels(name).inc(choice.is_failover and name == choice.active)

    def _follow(self, pools: set[str]) -> None:
        """Begin the series of new pools and end those of removed ones."""
        _forget(self._of_pool, self._pools - pools)
        _expect(self._of_pool, pools - self._pools)
        self._pools = pools


def _expect(children: Children, names: set[str]) -> None:
    """Let every series of these pools or sources begin, at 0."""
    for metric, rest in children:
        for labels in product(names, *rest):
            metric.labels(*labels)


def _forget(children: Children, names: set[str]) -> None:
    """End every series of these pools or sources."""
    for metric, rest in children:
        for labels in product(names, *rest):
            metric.remove(*labels)
