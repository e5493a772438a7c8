"""The journal on disk, on good days and bad ones."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from telling import NOW, a_bad_end, a_decision, a_record, a_replica, a_step, a_view, an_action, an_outcome

from autoscaler.model import ActionKind, Memory, Order, OrderKind, PoolMemory, Record, Result
from autoscaler.report import shelf
from autoscaler.report.journal import HEARTBEAT_SECONDS, MOST_WAITING, Journal, JournalUnreadable
from autoscaler.report.redact import redactor

REMEMBERED = Memory({"browser": PoolMemory(desired=3, ready=("a-browser-1",))})
GROW = a_decision("browser", a_step(0, 3, reason="BacklogAboveThreshold", because="12 waiting"), actions=(an_action(),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "state" / "journal.sqlite3"


@pytest.fixture
def open_journal(path: Path) -> Iterator[Callable[[], Journal]]:
    """Opens the journal, as often as wanted; all are closed afterwards."""
    opened: list[Journal] = []

    def opener() -> Journal:
        opened.append(Journal(path))
        return opened[-1]

    yield opener
    for journal in opened:
        journal.close()


def write(journal: Journal, *records: Record, memory: Memory = REMEMBERED) -> None:
    """Record these and wait for the disk."""
    for record in records:
        journal.record(record, memory)
        assert journal.flush()


# ---------------------------------------------------------------- memory


def test_memory_survives_a_restart(open_journal) -> None:
    """The next start gets what the last tick remembered, and when that was."""
    first = open_journal()
    write(first, a_record(at=NOW), a_record(at=NOW + 2))
    first.close()

    assert open_journal().load_memory() == (REMEMBERED, NOW + 2)


def test_a_new_journal_remembers_nothing(open_journal) -> None:
    """Nothing is not an empty memory."""
    assert open_journal().load_memory() is None


def test_a_damaged_memory_is_not_half_used(open_journal, path: Path) -> None:
    """A row that somebody edited badly counts as none."""
    journal = open_journal()
    write(journal, a_record())
    with sqlite3.connect(path) as other:
        other.execute("UPDATE memory SET json = replace(json, '3', '\"three\"')")
    other.close()

    assert journal.load_memory() is None


# ---------------------------------------------------------------- decisions and ticks


def test_a_decision_is_kept_whole(open_journal) -> None:
    """Steps, actions, outcomes and the sentence can be read back as they were."""
    outcome = an_outcome(ActionKind.START, seconds=0.4)
    journal = open_journal()
    write(journal, a_record(GROW, outcomes=(outcome,)))

    (row,) = journal.decisions("browser", 10)
    assert row["why"] == "browser 0 -> 3: 12 waiting"
    assert row["steps"][0]["because"] == "12 waiting"
    assert row["actions"][0]["kind"] == "start"
    assert row["outcomes"][0]["result"] == "done"
    assert (row["at"], row["direction"], row["config_hash"]) == (NOW, "up", "0123456789ab")


def test_only_news_and_heartbeats_are_kept(open_journal) -> None:
    """A pool that says the same again is written down once a minute, and a stretch of equal ticks is one row with two ends."""
    journal = open_journal()
    ticks = [a_record(at=NOW + i * HEARTBEAT_SECONDS / 4) for i in range(9)]
    write(journal, *ticks, a_record(GROW, at=NOW + 1000), a_record(GROW, at=NOW + 1001))

    assert [row["at"] - NOW for row in journal.decisions("browser", 10)] == [1000, 2 * HEARTBEAT_SECONDS, HEARTBEAT_SECONDS, 0]
    assert [row["at"] - NOW for row in journal.ticks("browser", 0, 100)] == [0, 2 * HEARTBEAT_SECONDS, 1000, 1001]


def test_new_outcomes_and_blindness_are_news(open_journal) -> None:
    """So is what ended, and what can no longer be seen; an answer that is still awaited is not."""
    journal = open_journal()
    blind = a_decision(view=a_view(waiting=None))
    awaited = an_outcome(ActionKind.START, Result.PENDING)
    write(
        journal,
        a_record(at=NOW),
        a_record(at=NOW + 1, outcomes=(awaited,)),
        a_record(at=NOW + 2, outcomes=(an_outcome(ActionKind.START),)),
        a_record(blind, at=NOW + 3),
    )

    assert [row["at"] - NOW for row in journal.decisions("browser", 10)] == [3, 2, 0]


def test_decisions_are_paged(open_journal) -> None:
    """Newest first, and further back by the id of the last one read."""
    journal = open_journal()
    write(journal, *(a_record(a_decision("browser", a_step(0, n)), at=NOW + n) for n in range(1, 6)))

    newest = journal.decisions("browser", 2)
    older = journal.decisions("browser", 2, before=newest[-1]["id"])
    assert [row["desired"] for row in newest + older] == [5, 4, 3, 2]


def test_news_are_what_came_since(open_journal) -> None:
    """Of all pools, oldest first, with what became of the actions; no more than asked for, and then the newest."""
    journal = open_journal()
    ended = an_outcome(ActionKind.REMOVE, exit=a_bad_end("no space left", code=1))
    write(journal, a_record(a_decision("browser"), a_decision("reports"), outcomes=(ended,)), a_record(a_decision("browser"), at=NOW + 60))

    first, second, third = journal.news(0, 10)
    assert [(row["pool"], row["at"] - NOW) for row in (first, second, third)] == [("browser", 0), ("reports", 0), ("browser", 60)]
    assert first["outcomes"] == [{"kind": "remove", "replica": "a-browser-1", "result": "done", "detail": "", "code": 1, "oom": False}]
    assert journal.news(first["id"], 10) == [second, third]
    assert journal.news(0, 1) == [third]


def test_the_wait_is_in_the_ticks(open_journal) -> None:
    """As seen while something waited; known to be none while nothing did."""
    journal = open_journal()
    waiting = a_decision("browser", view=a_view(waiting=3, oldest_wait_seconds=4.26))
    write(journal, a_record(waiting), a_record(a_decision("browser"), at=NOW + 2))

    assert [row["wait"] for row in journal.ticks("browser", 0, 10)] == [4.3, 0]


def test_ticks_say_null_where_nobody_saw(open_journal) -> None:
    """A chart draws a gap, not a zero."""
    journal = open_journal()
    write(journal, a_record(a_decision(view=a_view(waiting=None, replicas=(a_replica(running=None),)))))

    (row,) = journal.ticks("browser", 0, 10)
    assert row == {
        "at": NOW,
        "backlog": None,
        "wait": None,
        "busy": None,
        "ready": 1,
        "starting": 0,
        "draining": 0,
        "desired": 1,
        "reason": "NoDemand",
    }


def test_ticks_are_the_newest_in_order(open_journal) -> None:
    """Since a time, no more than asked for, oldest first as a chart wants them."""
    journal = open_journal()
    write(journal, *(a_record(a_decision("browser", a_step(0, n)), at=NOW + n) for n in range(6)))

    assert [row["at"] - NOW for row in journal.ticks("browser", NOW + 2, 3)] == [3, 4, 5]


def test_no_secret_is_kept(open_journal, path: Path) -> None:
    """The last lines of a worker's log may hold its broker's password."""
    end = a_bad_end("cannot connect to redis://user:journal-canary@h/0")
    journal = open_journal()
    write(journal, a_record(outcomes=(an_outcome(ActionKind.REMOVE, exit=end),)))

    assert "redis://user:***@h/0" in json.dumps(journal.decisions("browser", 1))
    assert b"journal-canary" not in b"".join(p.read_bytes() for p in path.parent.iterdir())


def test_old_rows_go(open_journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past their time or their number, decisions and ticks are let go."""
    monkeypatch.setattr(shelf, "KEPT", {"decisions": (7 * shelf.DAY, 3), "ticks": (2 * shelf.DAY, 100)})
    journal = open_journal()
    write(journal, *(a_record(a_decision("browser", a_step(0, n)), at=NOW + n) for n in range(5)))
    write(journal, a_record(GROW, at=NOW + 3 * shelf.DAY))

    assert len(journal.ticks("browser", 0, 100)) == 1
    assert [row["desired"] for row in journal.decisions("browser", 100)] == [3, 4, 3]


# ---------------------------------------------------------------- bad days


def holding_the_file(path: Path) -> sqlite3.Connection:
    """Somebody else who keeps the file locked."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    return other


def test_a_locked_file_delays_nobody(open_journal, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recording returns at once; what could not be written is counted, and afterwards it goes on."""
    monkeypatch.setattr(shelf, "WRITE_WAIT_SECONDS", 0.1)
    journal = open_journal()
    write(journal, a_record(at=NOW))
    other = holding_the_file(path)
    began = time.perf_counter()
    journal.record(a_record(GROW, at=NOW + 1), REMEMBERED)

    assert time.perf_counter() - began < 0.05
    assert journal.flush()
    assert journal.errors == 1
    other.execute("ROLLBACK")
    other.close()
    write(journal, a_record(GROW, at=NOW + 2))
    assert [row["at"] - NOW for row in journal.decisions("browser", 5)] == [2, 0]
    assert journal.errors == 1


def test_a_file_that_is_none_is_set_aside(open_journal, path: Path) -> None:
    """Rubbish is renamed, never deleted, and a fresh journal begins."""
    path.parent.mkdir()
    path.write_bytes(b"this is no database " * 500)
    journal = open_journal()
    write(journal, a_record())

    assert journal.load_memory() == (REMEMBERED, NOW)
    assert journal.errors == 0
    assert path.with_name(path.name + ".unusable").read_bytes().startswith(b"this is no database")


def test_a_file_that_breaks_later_is_set_aside(open_journal, path: Path) -> None:
    """Damage that shows only in the middle of the work costs some records, not the journal."""
    journal = open_journal()
    write(journal, *(a_record(a_decision("browser", a_step(0, n)), at=NOW + n) for n in range(50)))
    journal.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))

    again = open_journal()
    write(again, a_record(at=NOW + 100), a_record(at=NOW + 200))

    assert again.load_memory() == (REMEMBERED, NOW + 200)
    assert path.with_name(path.name + ".unusable").exists()


@pytest.mark.parametrize("also", [pytest.param((), id="alone"), pytest.param(("-wal", "-shm"), id="with its companions")])
def test_a_file_deleted_while_it_is_written_is_begun_anew(open_journal, path: Path, also: tuple[str, ...]) -> None:
    """Or all that follows would go into a file that no reader, and no next start, can find."""
    journal = open_journal()
    write(journal, a_record(GROW, at=NOW))
    for suffix in ("", *also):
        path.with_name(path.name + suffix).unlink()

    write(journal, a_record(GROW, at=NOW + 2))
    kept = open_journal().load_memory()

    assert kept == (REMEMBERED, NOW + 2)
    assert len(journal.decisions("browser", 10)) == 1
    assert journal.errors == 0


def test_a_newer_file_is_left_alone(open_journal, path: Path) -> None:
    """After a downgrade the newer version's journal is kept for it."""
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version=99")
        other.execute("CREATE TABLE future (x)")
    other.close()
    write(open_journal(), a_record())

    with sqlite3.connect(path.with_name(path.name + ".unusable")) as kept:
        assert kept.execute("SELECT count(*) FROM future").fetchone() == (0,)
    kept.close()


def test_a_folder_that_cannot_be_made_stops_nobody(tmp_path: Path) -> None:
    """A state folder that is a file: everything is counted as lost, reading says so, nothing raises."""
    (tmp_path / "state").write_text("I am a file")
    journal = Journal(tmp_path / "state" / "journal.sqlite3")
    write(journal, a_record(at=NOW), a_record(at=NOW + 2))

    assert journal.errors == 2
    assert journal.load_memory() is None
    with pytest.raises(JournalUnreadable, match="cannot be read"):
        journal.decisions("browser", 1)
    journal.close()


def test_a_full_disk_is_survived(tmp_path: Path) -> None:
    """When no file may grow any more, records are lost and counted; the process and the file live on."""
    code = f"""
import resource, signal, sys
sys.path[:0] = {[str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]!r}
from pathlib import Path
from telling import *
from autoscaler.report.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(Path({str(tmp_path)!r}) / "journal.sqlite3")
journal.record(a_record(), Memory()); journal.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
for n in range(60):
    journal.record(a_record(a_decision("browser", a_step(0, n % 5 + 1)), at=NOW + n), Memory()); journal.flush()
lost = journal.errors
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.record(a_record(at=NOW + 100), Memory()); journal.flush()
print(lost > 0, journal.errors == lost, journal.load_memory()[1] == NOW + 100)
journal.close()
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=30, check=False)

    assert done.stdout.split("\n")[-2] == "True True True", done.stderr


def test_a_stuck_disk_bounds_the_queue(open_journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk hangs, records wait up to a number; the rest is counted, and closing does not wait for ever."""
    hangs = threading.Event()
    monkeypatch.setattr(shelf, "write", lambda *_: hangs.wait(20))
    journal = open_journal()
    for n in range(3 * MOST_WAITING):
        journal.record(a_record(at=NOW + n), REMEMBERED)

    assert journal.errors >= MOST_WAITING
    began = time.perf_counter()
    journal.close()
    assert time.perf_counter() - began < 3
    hangs.set()


def test_trouble_is_told_once(open_journal, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line when it begins and one when it ends, however many records are lost between."""
    monkeypatch.setattr(shelf, "WRITE_WAIT_SECONDS", 0.05)
    told: list[str] = []
    journal = open_journal()
    monkeypatch.setattr(journal, "_log", Listener(told))
    write(journal, a_record(at=NOW))
    other = holding_the_file(path)
    write(journal, *(a_record(at=NOW + n) for n in range(1, 4)))
    other.close()
    write(journal, *(a_record(at=NOW + n) for n in range(4, 7)))

    assert told == ["journal_not_written", "journal_written_again"]


class Listener:
    """A logger that keeps the names of events."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def info(self, event: str, **_facts: object) -> None:
        """Keep it."""
        self._told.append(event)

    warning = info


def test_many_readers_disturb_nobody(open_journal) -> None:
    """Threads of the web room read while the loop writes; each sees whole rows."""
    journal = open_journal()
    write(journal, a_record(GROW))
    seen: list[int] = []

    def read() -> None:
        seen.extend(len(journal.decisions("browser", 5)[0]["steps"]) for _ in range(20))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    write(journal, *(a_record(GROW, at=NOW + n) for n in range(20)))
    for reader in readers:
        reader.join()

    assert seen == [1] * 80
    assert journal.errors == 0


def test_kill_9_loses_nothing_that_was_acknowledged(path: Path) -> None:
    """Five times killed in the middle of writing: the file stays sound, and every acknowledged record is in it."""
    last = 0
    for _ in range(5):
        last = killed_while_writing(path, last + 1)
        with sqlite3.connect(path) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            numbers = {round(at - NOW) for (at,) in file.execute("SELECT at FROM looks")}
            memory = json.loads(file.execute("SELECT json FROM memory").fetchone()[0])
        file.close()
        assert numbers >= set(range(1, last + 1))
        assert memory["pools"]["browser"]["failures"] >= last
        last = max(numbers)


def killed_while_writing(path: Path, first: int) -> int:
    """Start a writer, let it acknowledge some records, kill it; the last acknowledged number."""
    writer = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("journal_writer.py")), str(path), str(first)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        acknowledged = [int(line) for line in itertools.islice(writer.stdout, 15)]
    finally:
        writer.kill()
        rest = writer.stdout.read().split("\n")[:-1]
        writer.stdout.close()
        writer.wait()
    return int(rest[-1]) if rest else acknowledged[-1]


# ---------------------------------------------------------------- orders


def test_orders_are_kept_with_who_and_why(open_journal) -> None:
    """Newest first, of one pool or of all, in words and as data, without secrets, also before the first record."""
    journal = open_journal()
    redactor.learn(["order-canary"])
    for pool, why in (("browser", "the move"), ("reports", "order-canary")):
        journal.note(Order(OrderKind.PAUSE, pool, at=NOW, by="anna", why=why, until=NOW + 60))
    assert journal.flush()

    assert [row["told"] for row in journal.orders("browser", 10)] == ["paused by anna, 60 s left: the move"]
    newest, oldest = journal.orders(None, 10)
    assert (oldest["by"], oldest["why"], oldest["until"], oldest["id"]) == ("anna", "the move", NOW + 60, 1)
    assert "canary" not in json.dumps(newest)
    assert journal.load_memory() is None
