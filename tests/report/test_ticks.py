"""What the journal keeps of every tick: all that a replay needs, little where nothing changes, and old files stay readable."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telling import NOW, a_decision, a_record, a_replica, a_view

from autoscaler.model import Flow, Memory, Phase, PoolMemory
from autoscaler.report import shelf
from autoscaler.report.journal import Journal, JournalUnreadable
from autoscaler.report.past import Past, read_past
from autoscaler.report.ticks import LONGEST_PAUSE_SECONDS, LONGEST_RUN_SECONDS, Look, PoolTick, Rare, Run, pool_tick, tick_of, values

QUIET = PoolTick(NOW, "browser", 0, 0, 0, 0, 0, 0, "NoDemand", 0, 12, 12, 3.0, 1.0)
VERSION_1 = """
CREATE TABLE memory (id INTEGER PRIMARY KEY CHECK (id = 1), at REAL NOT NULL, json TEXT NOT NULL);
CREATE TABLE decisions (id INTEGER PRIMARY KEY, at REAL NOT NULL, pool TEXT NOT NULL, current INTEGER NOT NULL,
    desired INTEGER NOT NULL, reason TEXT NOT NULL, why TEXT NOT NULL, json TEXT NOT NULL);
CREATE INDEX decisions_of_pool ON decisions (pool, id);
CREATE TABLE ticks (id INTEGER PRIMARY KEY, at REAL NOT NULL, pool TEXT NOT NULL, backlog INTEGER, busy INTEGER,
    ready INTEGER NOT NULL, starting INTEGER NOT NULL, draining INTEGER NOT NULL, desired INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE INDEX ticks_of_pool ON ticks (pool, id);
INSERT INTO ticks VALUES (1, 1799999990.0, 'browser', 7, 4, 1, 1, 0, 3, 'Demand');
INSERT INTO memory VALUES (1, 1799999990.0, '{"pools":{"browser":{"desired":3}}}');
PRAGMA user_version=1;
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A fresh journal file, open for writing, without the journal around it."""
    connection = shelf.open_to_write(tmp_path / "journal.sqlite3")
    yield connection
    connection.close()


def put(file: sqlite3.Connection, *ticks: PoolTick, runs: dict[str, Run] | None = None) -> Past:
    """Write ticks, each by itself as the loop does, and read them back."""
    runs = {} if runs is None else runs
    for number, (at, group) in enumerate(itertools.groupby(ticks, key=lambda tick: tick.at)):
        look = Look(at, number == 0, {tick.pool: tick for tick in group})
        shelf.write(file, shelf.Page((at, "{}"), (), [look]), runs)
    (name,) = (row[2] for row in file.execute("PRAGMA database_list"))
    return read_past(Path(name))


def rows(file: sqlite3.Connection) -> int:
    """How many rows the ticks took."""
    return file.execute("SELECT count(*) FROM ticks").fetchone()[0]


# ---------------------------------------------------------------- what a tick is


def test_a_tick_holds_what_decisions_rest_on() -> None:
    """Work on replicas that leave, counters, learned times, and what is rare."""
    replicas = (
        a_replica("a", running=3, reserved=4),
        a_replica("b", Phase.DRAINING, running=2),
        a_replica("c", Phase.LOST, running=None),
        a_replica("d", Phase.STARTING, running=None),
    )
    view = a_view(waiting=7, replicas=replicas, leftover=2, flow=Flow(at=NOW, started=40, finished=35))
    kept = PoolMemory(boot_seconds=4.5, pending=(("e", NOW), ("f", NOW - 2)), failures=1)
    tick = pool_tick(a_decision(view=view), Memory({"browser": kept}), NOW)

    assert (tick.backlog, tick.busy, tick.running, tick.started, tick.finished) == (7, 4, 5, 40, 35)
    assert (tick.ready, tick.starting, tick.draining, tick.boot_seconds) == (1, 1, 1, 4.5)
    assert tick.rare == Rare(lost=1, mute=1, leftover=2, reserved=4, up=1, failures=1)
    assert tick.beyond_settings == "not everything could be seen"


def test_without_counters_there_are_none() -> None:
    """Nobody counts: that is not zero tasks."""
    assert pool_tick(a_decision(), Memory(), NOW).started is None


def test_a_row_gives_the_tick_back() -> None:
    """Also what is rare; a key that a newer version added is passed over."""
    tick = replace(QUIET, boot_seconds=3.7, rare=Rare(lost=2, backoff_until=NOW + 7.5))
    row = dict(zip(tick.__dataclass_fields__, values(tick), strict=True))

    assert tick_of(row) == tick
    assert tick_of({**row, "rare": '{"lost":2,"moon":"full"}'}).rare == Rare(lost=2)


# ---------------------------------------------------------------- little where nothing changes

few = st.integers(0, 2)
ticks_of_one = st.builds(
    PoolTick,
    at=st.just(0.0),
    pool=st.sampled_from(["a", "b"]),
    backlog=st.sampled_from([None, 0, 0, 1]),
    busy=few,
    ready=few,
    starting=st.just(0),
    draining=st.just(0),
    desired=st.just(1),
    reason=st.just("Demand"),
    boot_seconds=st.just(3.0),
    rare=st.sampled_from([Rare(), Rare(), Rare(up=2), Rare(lost=1)]),
)
pauses = st.sampled_from([0.7, 2.0, 2.003, 59.0, 61.0, 700.0])


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A file for many stories, which need not survive a power cut."""
    connection = shelf.open_to_write(tmp_path_factory.mktemp("journal") / "j")
    connection.execute("PRAGMA synchronous=OFF")
    yield connection
    connection.close()


@settings(max_examples=60, deadline=None)
@given(story=st.lists(st.tuples(pauses, st.lists(ticks_of_one, max_size=2, unique_by=lambda t: t.pool), st.integers(1, 4)), max_size=12))
def test_every_tick_is_read_back(scratch: sqlite3.Connection, story: list) -> None:
    """Whatever was merged: each moment has each pool's tick as it was, to the last bit of its time."""
    at, told = NOW, [QUIET]
    for pause, group, times in story:
        for _ in range(times):
            at += pause
            told += [replace(tick, at=at) for tick in group]
    scratch.executescript("DELETE FROM ticks; DELETE FROM looks;")
    past = put(scratch, *told)

    assert sorted(told, key=str) == sorted((tick for look in past.looks() for tick in look.pools.values()), key=str)


def test_a_quiet_day_is_few_rows(file: sqlite3.Connection) -> None:
    """A row each ten minutes instead of one each tick; the ticks are counted all the same."""
    past = put(file, *(replace(QUIET, at=NOW + 20.0 * n) for n in range(4320)))

    assert rows(file) <= 86400 / LONGEST_RUN_SECONDS + 1
    assert len(past.times) == 4320


@pytest.mark.parametrize(
    ("change", "merged"),
    [
        pytest.param({}, True, id="the same"),
        pytest.param({"backlog": 1}, False, id="something waits"),
        pytest.param({"finished": 13}, False, id="a task ended"),
        pytest.param({"rare": Rare(down=1)}, False, id="a drain was begun"),
        pytest.param({"at": NOW + LONGEST_PAUSE_SECONDS + 1}, False, id="nobody looked for a while"),
        pytest.param({"at": NOW - 5.0}, False, id="the clock was set back"),
    ],
)
def test_only_equal_neighbours_are_merged(file: sqlite3.Connection, change: dict, merged: bool) -> None:
    """What a chart or a replay could tell apart stays apart."""
    put(file, QUIET, replace(QUIET, **{"at": NOW + 2.0, **change}))

    assert rows(file) == (1 if merged else 2)


def test_what_is_waited_for_is_never_merged(file: sqlite3.Connection) -> None:
    """While tasks wait each look counts for their deadlines."""
    put(file, *(replace(QUIET, at=NOW + n, backlog=4) for n in range(5)))

    assert rows(file) == 5


def test_a_row_is_small(file: sqlite3.Connection) -> None:
    """A busy pool costs less than 120 bytes for each tick, its moment included."""
    busy = (
        replace(QUIET, at=NOW + 2.003 * n, backlog=n % 9, started=10_000 + n, boot_seconds=3.0417, stop_seconds=1.103) for n in range(3000)
    )
    put(file, *busy)
    pages, size = (file.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))

    assert pages * size / 3000 < 120


def test_a_chart_that_begins_in_a_quiet_stretch_has_both_ends(file: sqlite3.Connection) -> None:
    """The row began long before the question, and still holds."""
    put(file, *(replace(QUIET, at=NOW + 2 * n) for n in range(200)))
    file.row_factory = sqlite3.Row

    assert [row["at"] - NOW for row in shelf.read_ticks(file, "browser", NOW + 300, 10)] == [300, 398]


# ---------------------------------------------------------------- a journal's life


def test_the_first_tick_of_a_daemon_is_marked(tmp_path: Path) -> None:
    """A replay begins its windows anew where the daemon did."""
    for start in (NOW, NOW + 100):
        journal = Journal(tmp_path / "j")
        for n in range(3):
            journal.record(a_record(at=start + n), Memory())
        journal.close()

    assert [(at - NOW, fresh) for at, fresh in read_past(tmp_path / "j").times if fresh] == [(0.0, True), (100.0, True)]


def test_a_journal_names_its_configurations(tmp_path: Path) -> None:
    """So that a replay can say under which file things happened."""
    journal = Journal(tmp_path / "j")
    for n, name in enumerate(("first", "first", "second", "first")):
        journal.record(replace(a_record(at=NOW + 70 * n), config_hash=name), Memory())
    journal.close()

    assert read_past(tmp_path / "j").configurations == ("first", "second")


def test_a_journal_of_version_1_is_taken_over(tmp_path: Path) -> None:
    """Its rows and its memory stay; what it lacks for a replay begins with the first new tick."""
    with sqlite3.connect(tmp_path / "j") as old:
        old.executescript(VERSION_1)
    old.close()
    with pytest.raises(JournalUnreadable, match="an older version wrote it"):
        read_past(tmp_path / "j")
    journal = Journal(tmp_path / "j")
    kept = journal.load_memory()
    journal.record(a_record(at=NOW), Memory())
    journal.close()

    assert kept == (Memory({"browser": PoolMemory(desired=3)}), NOW - 10)
    assert [(row["at"] - NOW, row["backlog"]) for row in Journal(tmp_path / "j").ticks("browser", 0, 9)] == [(-10, 7), (0, 0)]
    assert [tick.at for look in read_past(tmp_path / "j").looks() for tick in look.pools.values()] == [NOW]


def test_schemas_only_add(tmp_path: Path) -> None:
    """Every column of an older version is there in the next: its rows stay readable, and its program can still write."""
    connection, before = sqlite3.connect(tmp_path / "j"), set()
    for schema in shelf.SCHEMAS:
        connection.executescript(schema)
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        now = {(table, column[1], column[2]) for table in tables for column in connection.execute(f"PRAGMA table_info({table})")}
        assert before < now
        before = now
    connection.close()


@pytest.mark.parametrize("content", [None, b"", b"this is no database " * 500])
def test_what_is_no_journal_is_said(tmp_path: Path, content: bytes | None) -> None:
    """No file, an empty one, rubbish: in words, with the path."""
    if content is not None:
        (tmp_path / "j").write_bytes(content)

    with pytest.raises(JournalUnreadable, match=r"/j: (cannot be read as a journal|holds no ticks)"):
        read_past(tmp_path / "j")
