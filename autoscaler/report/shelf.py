"""The journal's file: its schema, how it is opened, mended and kept small. SQL lives here and nowhere else.

`journal.py` decides what is written; this module knows how. WAL with synchronous=NORMAL: a `kill -9` loses nothing that was
committed, a power cut at most the last commits, and neither breaks the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoscaler.report.ticks import COLUMNS, Look, PoolTick, Run, tick_of, values

SCHEMAS = (
    """
CREATE TABLE IF NOT EXISTS memory (id INTEGER PRIMARY KEY CHECK (id = 1), at REAL NOT NULL, json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, pool TEXT NOT NULL, current INTEGER NOT NULL, desired INTEGER NOT NULL,
    reason TEXT NOT NULL, why TEXT NOT NULL, json TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS decisions_of_pool ON decisions (pool, id);
CREATE TABLE IF NOT EXISTS ticks (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, pool TEXT NOT NULL, backlog INTEGER, busy INTEGER, ready INTEGER NOT NULL,
    starting INTEGER NOT NULL, draining INTEGER NOT NULL, desired INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS ticks_of_pool ON ticks (pool, id);
""",
    """
CREATE TABLE looks (id INTEGER PRIMARY KEY, at REAL NOT NULL, fresh INTEGER NOT NULL);
ALTER TABLE ticks ADD COLUMN until REAL;
ALTER TABLE ticks ADD COLUMN running INTEGER;
ALTER TABLE ticks ADD COLUMN started INTEGER;
ALTER TABLE ticks ADD COLUMN finished INTEGER;
ALTER TABLE ticks ADD COLUMN boot_seconds REAL;
ALTER TABLE ticks ADD COLUMN stop_seconds REAL;
ALTER TABLE ticks ADD COLUMN rare TEXT;
""",
    """
CREATE TABLE orders (id INTEGER PRIMARY KEY, at REAL NOT NULL, pool TEXT NOT NULL, told TEXT NOT NULL, json TEXT NOT NULL);
CREATE INDEX orders_of_pool ON orders (pool, id);
""",
)
"""What makes version 1 out of nothing, version 2 out of version 1, and so on. A version only ever adds, so that rows of an older one
stay readable; a new one is one more text at the end.

`ticks.until` is the last moment for which a row holds, null where it holds for its own only; `looks` are the moments of all ticks,
`fresh` where a daemon began.
"""
REPLAYABLE = 2
"""The first version whose ticks hold what a replay needs."""
WAIT = "CASE WHEN backlog IS NOT NULL THEN ifnull(json_extract(rare, '$.wait'), 0) END AS wait"
CHART = ("at", "until", "backlog", WAIT, "busy", "ready", "starting", "draining", "desired", "reason")
INSERT_DECISION = "INSERT INTO decisions (at, pool, current, desired, reason, why, json) VALUES (?, ?, ?, ?, ?, ?, ?)"
INSERT_TICK = f"INSERT INTO ticks ({', '.join(COLUMNS)}) VALUES (?{', ?' * (len(COLUMNS) - 1)})"  # noqa: S608 - names of our own columns
DAY = 86400.0
KEPT: dict[str, tuple[float, int]] = {
    "decisions": (7 * DAY, 50_000),
    "ticks": (2 * DAY, 1_000_000),
    "looks": (2 * DAY, 1_000_000),
    "orders": (90 * DAY, 20_000),
}
"""table -> (seconds that a row is kept, rows that are kept at most)."""
BITE = 5000
"""Rows that one statement of a pruning may delete."""
MOST_BITES = 20
BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
WRITE_WAIT_SECONDS = 2.0
READ_WAIT_SECONDS = 1.0

DecisionRow = tuple[float, str, int, int, str, str, str]
OrderRow = tuple[float, str, str, str]


def open_to_write(path: Path) -> sqlite3.Connection:
    """The writer's connection to a file that has our schema; one thread uses it at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=WRITE_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _refuse_newer(connection)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA journal_size_limit=16777216")
        _bring_up_to_date(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _refuse_newer(connection: sqlite3.Connection) -> None:
    version = _version(connection)
    if version > len(SCHEMAS):
        raise NewerFile(f"it was written by a newer version (schema {version}, this one knows {len(SCHEMAS)})")


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    for version, schema in tuple(enumerate(SCHEMAS, start=1))[_version(connection) :]:
        connection.executescript(f"BEGIN; {schema} PRAGMA user_version={version}; COMMIT;")


class NewerFile(sqlite3.DatabaseError):
    """The file belongs to a newer version: this one must neither read nor change it."""


def is_broken(error: sqlite3.Error) -> bool:
    """Whether this error says that the file itself is damaged or not ours, so that trying again is of no use."""
    return isinstance(error, NewerFile) or (getattr(error, "sqlite_errorcode", 0) & 0xFF) in BROKEN


def set_aside(path: Path) -> Path:
    """Rename an unusable file and its companions, so that a fresh one can begin and the old one can be examined.

    There is one place to set aside to: a disk that ruins every file must not be filled with them.
    """
    aside = path.with_name(f"{path.name}.unusable")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    return aside


@dataclass(frozen=True, slots=True)
class Page:
    """What is written at once."""

    memory: tuple[float, str] | None
    decisions: Sequence[DecisionRow]
    looks: Sequence[Look]
    orders: Sequence[OrderRow] = ()


def write(connection: sqlite3.Connection, page: Page, runs: dict[str, Run]) -> None:
    """One transaction: all of it is there afterwards, or none; then `runs`, the latest row of each pool, must be forgotten."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if page.memory:
            connection.execute("REPLACE INTO memory (id, at, json) VALUES (1, ?, ?)", page.memory)
        connection.executemany("INSERT INTO orders (at, pool, told, json) VALUES (?, ?, ?, ?)", page.orders)
        connection.executemany(INSERT_DECISION, page.decisions)
        for look in page.looks:
            _write_look(connection, look, runs)
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _write_look(connection: sqlite3.Connection, look: Look, runs: dict[str, Run]) -> None:
    connection.execute("INSERT INTO looks (at, fresh) VALUES (?, ?)", (look.at, look.fresh))
    for gone in set(runs) - set(look.pools):
        del runs[gone]
    for tick in look.pools.values():
        _write_tick(connection, tick, runs)


def _write_tick(connection: sqlite3.Connection, tick: PoolTick, runs: dict[str, Run]) -> None:
    run = runs.get(tick.pool)
    if run and run.takes(tick):
        run.until = tick.at
        connection.execute("UPDATE ticks SET until = ? WHERE id = ?", (tick.at, run.row))
        return
    row = connection.execute(INSERT_TICK, values(tick)).lastrowid
    assert row is not None, "SQLite numbers every row"
    runs[tick.pool] = Run(row, tick, tick.at)


def prune(connection: sqlite3.Connection, now: float) -> None:
    """Let the oldest rows go that are past their time or their number, in bites that lock the file only briefly."""
    for table, (seconds, rows) in KEPT.items():
        oldest = f"SELECT id FROM {table} ORDER BY id LIMIT {BITE}"  # noqa: S608 - names of our own tables
        beyond = f"(SELECT max(id) FROM {table}) - {rows}"  # noqa: S608
        bite = f"DELETE FROM {table} WHERE id IN ({oldest}) AND (at < ? OR id <= {beyond})"  # noqa: S608
        for _ in range(MOST_BITES):
            if connection.execute(bite, (now - seconds,)).rowcount < BITE:
                break


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot change anything; raises sqlite3.Error where there is no file to read."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=READ_WAIT_SECONDS, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def read_memory(connection: sqlite3.Connection) -> tuple[str, float] | None:
    """The newest memory as it was written, and when."""
    row = connection.execute("SELECT json, at FROM memory").fetchone()
    return (row["json"], row["at"]) if row else None


def read_decisions(connection: sqlite3.Connection, pool: str, limit: int, before: int | None) -> list[dict[str, Any]]:
    """The newest decisions of a pool, newest first; `before` is the id of the last one already read."""
    query = "SELECT id, at, pool, current, desired, reason, why, json FROM decisions WHERE pool = ? AND id < ? ORDER BY id DESC LIMIT ?"
    return [dict(row) for row in connection.execute(query, (pool, before if before is not None else 2**62, limit))]


def read_orders(connection: sqlite3.Connection, pool: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest orders, of one pool or of all, newest first."""
    query = "SELECT id, told, json FROM orders WHERE ? IS NULL OR pool = ? ORDER BY id DESC LIMIT ?"
    return [dict(row) for row in connection.execute(query, (pool, pool, limit))]


def read_ticks(connection: sqlite3.Connection, pool: str, since: float, limit: int) -> list[dict[str, Any]]:
    """The newest ticks of a pool since then, oldest first; of a stretch in which nothing changed the first and the last."""
    query = f"SELECT {', '.join(CHART)} FROM ticks WHERE pool = ? AND ifnull(until, at) >= ? ORDER BY id DESC LIMIT ?"  # noqa: S608
    rows = [dict(row) for row in connection.execute(query, (pool, since, limit))][::-1]
    return [point for row in rows for point in _ends(row, since)][-limit:]


def _ends(row: dict[str, Any], since: float) -> list[dict[str, Any]]:
    first, until = max(row["at"], since), row.pop("until")
    return [{**row, "at": at} for at in ((first, until) if until is not None and until > first else (first,))]


def read_looks(connection: sqlite3.Connection) -> list[tuple[float, bool]]:
    """When every tick was that left rows a replay can use, and whether a daemon began with it; oldest first."""
    if _version(connection) < REPLAYABLE:
        return []
    return [(row["at"], bool(row["fresh"])) for row in connection.execute("SELECT at, fresh FROM looks ORDER BY at")]


def read_runs(connection: sqlite3.Connection) -> list[Run]:
    """All rows that a replay can use, oldest first."""
    query = f"SELECT id, ifnull(until, at) AS until, {', '.join(COLUMNS)} FROM ticks WHERE boot_seconds IS NOT NULL ORDER BY at, id"  # noqa: S608
    return [Run(row["id"], tick_of(row), row["until"]) for row in connection.execute(query)]


def read_configurations(connection: sqlite3.Connection, since: float, until: float) -> list[str]:
    """Hashes of the configurations under which something was decided in this time, in the order of their first decision."""
    query = "SELECT json_extract(json, '$.config_hash') AS hash, min(id) FROM decisions WHERE at BETWEEN ? AND ? GROUP BY hash ORDER BY 2"
    return [row["hash"] for row in connection.execute(query, (since, until)) if row["hash"]]


def read_news(connection: sqlite3.Connection, after: int, limit: int) -> list[dict[str, Any]]:
    """The newest decisions of all pools that came after this id, oldest first."""
    query = "SELECT id, at, pool, current, desired, reason, why, json FROM decisions WHERE id > ? ORDER BY id DESC LIMIT ?"
    return [dict(row) for row in connection.execute(query, (after, limit))][::-1]
