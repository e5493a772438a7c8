"""The record as log lines, and the one place where logging is set up.

`configure_logging` puts structlog and every library's stdlib logger through one formatter: JSON, or text on a terminal, with
redaction as the last step before rendering. `LogReporter` says one thing per change: what is only repeated is DEBUG.
"""

from __future__ import annotations

import logging
import re
import sys
from collections import Counter
from collections.abc import Iterable, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter

from autoscaler.config.models import LogSettings
from autoscaler.model import ActionKind, Exit, Memory, Outcome, PoolDecision, Record, Result, SourceSight
from autoscaler.model.spending import Account
from autoscaler.policy.drains import ailments
from autoscaler.report.brokers import standing
from autoscaler.report.outlet import Outlet
from autoscaler.report.redact import redactor
from autoscaler.report.sentence import why

QUIET = ("httpx", "httpcore", "urllib3", "docker", "uvicorn", "uvicorn.error", "uvicorn.access", "asyncio", "redis", "kombu")
"""Libraries that tell every request they make: only their warnings are wanted."""

Event = MutableMapping[str, Any]
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
ENDED_BY_SIGTERM = 143


def configure_logging(settings: LogSettings, stream: TextIO | None = None, secrets: Iterable[str] = ()) -> Outlet:
    """Send everything that is logged in this process to `stream` (standard error by default), without these secrets.

    May be called again after a reload: level, format and secrets change, the thread that writes stays. The outlet tells how
    many lines were dropped.
    """
    redactor.learn(secrets)
    _configure_structlog()
    stream = stream or sys.stderr
    outlet = _attach(stream)
    colors = stream.isatty()
    console = settings.format == "console" or (settings.format == "auto" and colors)
    outlet.setFormatter(_formatter(console=console, colors=colors))
    logging.getLogger().setLevel(settings.level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    return outlet


def _attach(stream: TextIO) -> Outlet:
    """The root logger's outlet onto this stream; one onto another stream is closed and replaced."""
    root = logging.getLogger()
    for outlet in [handler for handler in root.handlers if isinstance(handler, Outlet)]:
        if outlet.stream is stream:
            return outlet
        root.removeHandler(outlet)
        outlet.close()
    outlet = Outlet(stream)
    root.addHandler(outlet)
    return outlet


def _configure_structlog() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _formatter(*, console: bool, colors: bool) -> ProcessorFormatter:
    foreign: list[structlog.typing.Processor] = [structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, _stamp_of_record]
    # Plain text tracebacks: the structured and the rich ones print local variables, and those hold secrets.
    traced: list[structlog.typing.Processor] = [structlog.processors.StackInfoRenderer(), structlog.processors.format_exc_info]
    shared = [ProcessorFormatter.remove_processors_meta, *traced, _redacted]
    if console:
        renderer = structlog.dev.ConsoleRenderer(
            colors=colors, sort_keys=False, timestamp_key="ts", pad_event_to=20, exception_formatter=structlog.dev.plain_traceback
        )
        return ProcessorFormatter(foreign_pre_chain=foreign, processors=[*shared, _one_line, renderer])
    return ProcessorFormatter(foreign_pre_chain=foreign, processors=[*shared, _ordered, structlog.processors.JSONRenderer()])


def _redacted(_logger: Any, _method: str, event: Event) -> Event:
    return dict(redactor(event))


def _stamp_of_record(_logger: Any, _method: str, event: Event) -> Event:
    """ISO UTC time for lines of libraries."""
    record = event.get("_record")
    at = datetime.fromtimestamp(record.created, UTC) if isinstance(record, logging.LogRecord) else datetime.now(UTC)
    event["ts"] = at.isoformat().replace("+00:00", "Z")
    return event


def _ordered(_logger: Any, _method: str, event: Event) -> Event:
    """The same keys first in every line, because people read the left edge."""
    return {key: event[key] for key in ("ts", "level", "event", "logger") if key in event} | dict(event)


def _one_line(_logger: Any, _method: str, event: Event) -> Event:
    """Nothing that came from outside can start a line of its own or steer the terminal; only our tracebacks have lines."""
    return {key: _indented(value) if key in ("exception", "stack") else _escaped(value) for key, value in event.items()}


def _escaped(value: Any) -> Any:
    text = value if isinstance(value, str) else repr(value) if isinstance(value, (dict, list)) else None
    return value if text is None else _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


def _indented(text: str) -> str:
    return "\n".join(f"    {_escaped(part)}" for part in str(text).split("\n"))


class LogReporter:
    """Tells a record in the log: changes at INFO, repetition at DEBUG, trouble at WARNING."""

    def __init__(self) -> None:
        self._log = structlog.stdlib.get_logger("autoscaler")
        self._said: dict[str, tuple[Any, ...]] = {}
        self._up: dict[str, bool] = {}
        self._ailing: frozenset[tuple[str, str]] = frozenset()
        self._stages: dict[str, tuple[float, float]] = {}
        """Of each broker: when its budget's period ends, and the share that was told last."""
        self._leaving: frozenset[str] = frozenset()
        """Replicas that were being drained after the record before: an end may be told when its drain is forgotten."""

    def __call__(self, record: Record, memory: Memory) -> None:
        """One record; of the memory only whose end was asked for."""
        leaving = frozenset(drain.replica for pool in memory.pools.values() for drain in pool.drains)
        asked, self._leaving = self._leaving | leaving, leaving
        for source in record.observation.sources:
            self._tell_source(source)
        choice = record.decision.brokers
        if choice.is_failover:
            self._log.warning("broker_changed", broker=choice.active, before=choice.before, why=choice.why)
        self._tell_ailing(record, memory)
        for name, account in record.decision.books.items():
            self._tell_budget(name, account, record.at)
        for pool in record.decision.pools:
            self._tell_pool(pool, [o for o in record.outcomes if o.action.pool == pool.pool], record.at)
        for outcome in record.outcomes:
            self._tell_trouble(outcome, asked=outcome.action.replica in asked)
        names = {pool.pool for pool in record.decision.pools}
        self._said = {name: said for name, said in self._said.items() if name in names}

    def _tell_source(self, source: SourceSight) -> None:
        if self._up.get(source.name) == source.up:
            return
        self._up[source.name] = source.up
        if source.up:
            self._log.info("source_up", source=source.name)
        else:
            self._log.warning("source_down", source=source.name, detail=source.detail)

    def _tell_ailing(self, record: Record, memory: Memory) -> None:
        """Drains that do not go as they should, each once for each of its ailments."""
        found = {
            (ailing.replica, ailing.ailment): (lane.pool, ailing)
            for lane in record.decision.lanes
            for ailing in ailments(lane.view, memory.of(lane.key), record.observation, record.at)
        }
        for pool, ailing in (found[new] for new in found.keys() - self._ailing):
            self._log.warning("drain_ailing", pool=pool, replica=ailing.replica, ailment=str(ailing.ailment), detail=ailing.words)
        self._ailing = frozenset(found)

    def _tell_budget(self, broker: str, account: Account, now: float) -> None:
        """Once for each share of the budget that is reached in a period."""
        ends, told = self._stages.get(broker, (account.ends_at, 0.0))
        self._stages[broker] = (account.ends_at, account.stage)
        if account.stage > (told if ends == account.ends_at else 0.0):
            self._log.warning("budget", broker=broker, why=standing(account, now), used=round(account.used))

    def _tell_pool(self, pool: PoolDecision, outcomes: list[Outcome], now: float) -> None:
        ended = [o for o in outcomes if o.result is not Result.PENDING]
        acts = tuple((action.kind, action.replica) for action in pool.actions)
        before = self._said.get(pool.pool, ())
        news = bool(ended) or before[:2] != (pool.desired, pool.reason) or (bool(acts) and before[2] != acts)
        self._said[pool.pool] = (pool.desired, pool.reason, acts)
        if not news and not self._log.is_enabled_for(logging.DEBUG):
            return  # words that nobody will read are the dearest part of telling a quiet pool
        self._log.log(
            logging.INFO if news else logging.DEBUG,
            "decision",
            pool=pool.pool,
            why=why(pool, now),
            current=pool.current,
            desired=pool.desired,
            recommended=pool.recommended,
            reason=str(pool.reason),
            **_counted("actions", (str(action.kind) for action in pool.actions)),
            **_counted("outcomes", (f"{o.action.kind} {o.result}" for o in ended)),
        )

    def _tell_trouble(self, outcome: Outcome, *, asked: bool) -> None:
        action = outcome.action
        facts = {"pool": action.pool, "replica": action.replica, "detail": outcome.detail or action.because}
        if outcome.result is Result.FAILED:
            self._log.warning("action_failed", action=str(action.kind), **facts, **_ending(outcome))
        elif action.last_words and outcome.exit is not None:
            self._log.warning("start_failed", **facts, last_lines=list(outcome.exit.log_tail))
        elif outcome.exit is not None and _is_bad(outcome.exit, asked=asked):
            self._log.warning("worker_ended_badly", **facts, **_ending(outcome))
        elif action.kind is ActionKind.KILL and outcome.result is Result.DONE:
            self._log.warning("worker_killed", **facts, interrupted=list(outcome.interrupted))


def _is_bad(end: Exit, *, asked: bool) -> bool:
    """A worker that was asked to leave before it could listen dies of the signal, as it should."""
    return end.oom or not (end.code == 0 or (asked and end.code == ENDED_BY_SIGTERM))


def _counted(name: str, words: Iterable[str]) -> dict[str, dict[str, int]]:
    counts = Counter(words)
    return {name: dict(counts)} if counts else {}


def _ending(outcome: Outcome) -> dict[str, Any]:
    if outcome.exit is None:
        return {}
    return {"exit_code": outcome.exit.code, "oom": outcome.exit.oom, "last_lines": list(outcome.exit.log_tail)}
