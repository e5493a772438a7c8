"""What reaches the log, and what never does."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog
from telling import AN_ACCOUNT, NOW, a_bad_end, a_decision, a_failover, a_record, a_replica, a_source, a_step, a_view, an_action, an_outcome

from autoscaler.config.models import LogSettings
from autoscaler.model import ActionKind, Drain, Exit, Memory, Outcome, Phase, PoolMemory, Record, Result
from autoscaler.model.spending import Account
from autoscaler.report.log import LogReporter, configure_logging
from autoscaler.report.outlet import LONGEST_BACKLOG, Outlet


class Log:
    """A log that goes into memory."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.outlet: Outlet | None = None

    def begin(self, how: str = "json", level: str = "info", secrets: tuple[str, ...] = ()) -> None:
        """Send all logging here, and only here: pytest's own handlers fail on what ours survives."""
        root = logging.getLogger()
        root.handlers[:] = [handler for handler in root.handlers if isinstance(handler, Outlet)]
        self.outlet = configure_logging(LogSettings(format=how, level=level), self.stream, secrets)

    @property
    def text(self) -> str:
        """All that was written so far."""
        assert self.outlet.flush_within(5)
        return self.stream.getvalue()

    @property
    def events(self) -> list[dict]:
        """The same as parsed JSON lines."""
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    """A log in memory; afterwards logging is as it was."""
    root = logging.getLogger()
    level, others = root.level, list(root.handlers)
    yield Log()
    for outlet in [handler for handler in root.handlers if isinstance(handler, Outlet)]:
        outlet.close()
    root.handlers[:] = others
    root.setLevel(level)


class Shouting:
    """A value whose repr fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def test_json_lines_begin_with_time_level_and_event(log: Log) -> None:
    """People read the left edge; machines read ISO times in UTC."""
    log.begin()
    structlog.get_logger("t").info("hello", pool="browser")

    (event,) = log.events

    assert list(event)[:3] == ["ts", "level", "event"]
    assert event["ts"].endswith("Z")
    assert event["pool"] == "browser"


def test_libraries_speak_through_the_same_formatter(log: Log) -> None:
    """A warning of a stdlib logger has the same shape, and their chatter is not told."""
    log.begin(secrets=("library-canary",))
    logging.getLogger("httpx").info("GET http://flower/ 200")
    logging.getLogger("uvicorn.error").warning("bad %s", "library-canary")

    (event,) = log.events

    assert (event["level"], event["event"], event["logger"]) == ("warning", "bad ***", "uvicorn.error")


@pytest.mark.parametrize("how", ["json", "console"])
def test_no_secret_and_no_second_line(log: Log, how: str) -> None:
    """Text from outside can neither carry a secret out nor begin a line of its own, in both renderings."""
    log.begin(how, secrets=("log-canary-1",))
    evil = 'evil\r\n{"event": "forged"}\x1b[31m\u2028\x85'
    structlog.get_logger("t").info(evil, url="redis://u:log-canary-2@h/0", password="log-canary-3", deep=[{"t": "log-canary-1"}], evil=evil)

    assert "canary" not in log.text
    assert "\x1b" not in log.text
    assert len(log.text.splitlines()) == 1


@pytest.mark.parametrize("how", ["json", "console"])
def test_tracebacks_have_no_locals_and_no_forged_lines(log: Log, how: str) -> None:
    """A traceback shows where, not what the variables held; in the console its lines are indented."""
    log.begin(how)
    try:
        hidden_local = "traceback-canary"
        raise RuntimeError("cannot reach redis://:url-canary@h\n2026-01-01 [info] forged " + hidden_local[:0])
    except RuntimeError:
        structlog.get_logger("t").exception("boom")

    assert "canary" not in log.text.replace('"traceback-canary"', "")
    assert "RuntimeError" in log.text
    assert not any(line.startswith("2026-01-01 ") for line in log.text.splitlines())


def test_logging_never_raises(log: Log) -> None:
    """What cannot be formatted is dropped and counted; the one who logs goes on."""
    log.begin()
    logging.getLogger("t").warning("%d", "not a number")
    structlog.get_logger("t").info("odd", value=Shouting())
    structlog.get_logger("t").info("after")

    events = log.events

    assert log.outlet.dropped == 2
    assert "after" in [e["event"] for e in events]
    assert any("were dropped" in e["event"] for e in events)


class StuckStream(io.StringIO):
    """A stream whose reader has stopped reading."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = threading.Event()

    def write(self, text: str) -> int:
        """Wait until somebody reads."""
        assert self.reads.wait(20)
        return super().write(text)


def test_a_stuck_reader_stops_nobody() -> None:
    """Lines are dropped and counted while the pipe is stuck, and the count is told when it is not."""
    stream = StuckStream()
    outlet = Outlet(stream)
    for i in range(2 * LONGEST_BACKLOG + 100):
        outlet.emit(logging.LogRecord("t", logging.INFO, "", 0, f"line {i}", (), None))

    assert outlet.dropped >= 100
    stream.reads.set()
    assert outlet.flush_within(5)
    outlet.emit(logging.LogRecord("t", logging.INFO, "", 0, "last", (), None))
    assert outlet.flush_within(5)
    outlet.close()
    assert f"{outlet.dropped} log lines were dropped" in stream.getvalue()


def test_a_closed_stream_is_survived() -> None:
    """The reader of the pipe may be gone for good."""
    stream = io.StringIO()
    outlet = Outlet(stream)
    stream.close()
    outlet.emit(logging.LogRecord("t", logging.INFO, "", 0, "into the void", (), None))

    assert outlet.flush_within(5)
    assert outlet.dropped == 1
    outlet.close()


def test_a_reload_keeps_the_thread(log: Log) -> None:
    """Called again for the same stream, only level, format and secrets change."""
    log.begin()
    first = log.outlet
    log.begin(level="warning")
    structlog.get_logger("t").info("too quiet now")

    assert log.outlet is first
    assert log.text == ""


# ---------------------------------------------------------------- LogReporter


def told(log: Log, *records: Record, level: str = "info") -> list[dict]:
    """Every event that these records make."""
    log.begin(level=level)
    report = LogReporter()
    for record in records:
        report(record, Memory())
    return log.events


GROW = a_decision("browser", a_step(0, 2, reason="BacklogAboveThreshold", because="8 waiting"), actions=(an_action(),))


def test_a_decision_is_told_once_while_it_stays(log: Log) -> None:
    """What is only repeated is DEBUG; a change is INFO with the sentence and the counts."""
    events = told(log, a_record(GROW), a_record(GROW, at=NOW + 2), a_record(at=NOW + 4))

    decisions = [e for e in events if e["event"] == "decision"]
    assert [d["desired"] for d in decisions] == [2, 0]
    assert decisions[0]["why"] == "browser 0 -> 2: 8 waiting"
    assert decisions[0]["actions"] == {"start": 1}


def test_repetition_is_there_at_debug(log: Log) -> None:
    """Who asks for every tick gets every tick."""
    events = told(log, a_record(), a_record(at=NOW + 2), level="debug")

    assert [e["level"] for e in events if e["event"] == "decision"] == ["info", "debug"]


def test_outcomes_are_news(log: Log) -> None:
    """A tick in which something ended is told, a pending answer is not."""
    done, pending = an_outcome(ActionKind.START), an_outcome(ActionKind.START, Result.PENDING)
    events = told(log, a_record(), a_record(outcomes=(pending,)), a_record(outcomes=(done,)))

    assert [e.get("outcomes") for e in events if e["event"] == "decision"] == [None, {"start done": 1}]


def test_sources_are_told_when_they_change(log: Log) -> None:
    """Down once with the words of the source, up once."""
    down = a_source(up=False, detail="Flower refuses API access: configure basic auth")
    ups, downs = a_record(), a_record(sources=(down,))
    events = [e for e in told(log, ups, ups, downs, downs, ups) if e["event"].startswith("source")]

    assert [e["event"] for e in events] == ["source_up", "source_down", "source_up"]
    assert events[1]["level"] == "warning"
    assert events[1]["detail"] == down.detail


def test_a_failover_is_a_warning(log: Log) -> None:
    """Told once, with the broker that took over and why."""
    (event,) = [e for e in told(log, a_failover(), a_failover(just_now=False)) if e["event"] == "broker_changed"]

    assert ("warning", "fallback", "primary") == (event["level"], event["broker"], event["before"])
    assert "used up its quota" in event["why"]


def test_a_budget_is_warned_of_once_at_each_stage(log: Log) -> None:
    """At 80 %, again at 95 %, and in the next period anew; not in every tick."""
    later, next_day = replace(AN_ACCOUNT, used=9_600.0, stage=0.95), replace(AN_ACCOUNT, ends_at=AN_ACCOUNT.ends_at + 86_400.0, stage=0.5)
    records = [with_books(account) for account in (AN_ACCOUNT, AN_ACCOUNT, later, later, next_day)]

    events = [e for e in told(log, *records) if e["event"] == "budget"]

    assert [8_400, 9_600, 8_400] == [e["used"] for e in events]
    assert "84 % of 10,000 a day used" in events[0]["why"]


def with_books(account: Account) -> Record:
    """A record in which the primary's budget stood like this."""
    record = a_record()
    return replace(record, decision=replace(record.decision, books={"primary": account}))


def test_a_failed_action_is_a_warning(log: Log) -> None:
    """With the engine's words, which say what to do."""
    failed = an_outcome(ActionKind.START, Result.FAILED, detail="no such image: swarm:latest")
    (event,) = [e for e in told(log, a_record(outcomes=(failed,))) if e["level"] == "warning"]

    assert (event["event"], event["action"], event["detail"]) == ("action_failed", "start", "no such image: swarm:latest")


def test_an_ailing_drain_is_told_once(log: Log) -> None:
    """With its name and what to do, not in every look; again when it comes back."""
    leaving = a_replica("r", Phase.DRAINING, since=NOW - 60, heard=True, defies=True)
    memory = Memory({"browser": PoolMemory(drains=(Drain("r", NOW - 60, "idle", was_idle=True, signals=2),))})
    report, bad, gone = LogReporter(), a_record(a_decision(view=a_view(replicas=(leaving,)))), a_record()
    log.begin()
    for record in (bad, bad, gone, bad):
        report(record, memory)

    told_of = [e for e in log.events if e["event"] == "drain_ailing"]
    assert [(e["replica"], e["ailment"]) for e in told_of] == [("r", "signal_ignored")] * 2


def test_a_failed_start_shows_its_last_lines(log: Log) -> None:
    """A worker that nobody heard in time is told once, with what it wrote."""
    told_to_leave = replace(an_action(ActionKind.DRAIN), last_words=True)
    outcome = Outcome(told_to_leave, Result.DONE, NOW, exit=Exit(None, log_tail=("waiting for the database",)))
    (event,) = [e for e in told(log, a_record(outcomes=(outcome,))) if e["level"] == "warning"]

    assert (event["event"], event["last_lines"]) == ("start_failed", ["waiting for the database"])


def test_a_worker_that_ended_badly_shows_its_last_lines(log: Log) -> None:
    """Exit code and last words, without the secrets in them."""
    end = a_bad_end("Traceback", "cannot connect to redis://:worker-canary@h", code=1)
    (event,) = [e for e in told(log, a_record(outcomes=(an_outcome(ActionKind.REMOVE, exit=end),))) if e["level"] == "warning"]

    assert event["event"] == "worker_ended_badly"
    assert event["exit_code"] == 1
    assert event["last_lines"] == ["Traceback", "cannot connect to redis://:***@h"]


def test_a_clean_drain_is_no_warning(log: Log) -> None:
    """A worker that was asked to leave and left is everyday life."""
    end = a_bad_end(code=0)
    view = a_view(replicas=(a_replica(),))

    assert not [
        e
        for e in told(log, a_record(a_decision(view=view), outcomes=(an_outcome(ActionKind.REMOVE, exit=end),)))
        if e["level"] == "warning"
    ]


def test_a_worker_taken_back_while_it_starts_is_no_warning(log: Log) -> None:
    """It dies of the SIGTERM that we sent; the same end unasked is told, and so is any other end of a drain."""
    removal = an_outcome(ActionKind.REMOVE, exit=a_bad_end(code=143))
    broken = an_outcome(ActionKind.REMOVE, exit=a_bad_end(code=1))
    memory = Memory({"browser": PoolMemory(drains=(Drain(removal.action.replica, NOW, "not ready yet"),))})
    log.begin(level="warning")
    report = LogReporter()

    report(a_record(), memory)
    report(a_record(outcomes=(removal,)), Memory())
    assert not log.text

    report(a_record(outcomes=(removal,)), Memory())
    report(a_record(outcomes=(broken,)), memory)
    assert [event["exit_code"] for event in log.events] == [143, 1]
