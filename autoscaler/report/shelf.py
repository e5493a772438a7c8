"""The journal's file: its schema, how it is opened, mended and kept small. SQL lives here and nowhere else.

`journal.py` decides what is written; this module knows how. WAL with synchronous=NORMAL: a `kill -9` loses nothing that was
committed, a power cut at most the last commits, and neither breaks the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS memory (id INTEGER PRIMARY KEY CHECK (id = 1), at REAL NOT NULL, json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, pool TEXT NOT NULL, current INTEGER NOT NULL, desired INTEGER NOT NULL,
    reason TEXT NOT NULL, why TEXT NOT NULL, json TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS decisions_of_pool ON decisions (pool, id);
CREATE TABLE IF NOT EXISTS ticks (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, pool TEXT NOT NULL, backlog INTEGER, busy INTEGER, ready INTEGER NOT NULL,
    starting INTEGER NOT NULL, draining INTEGER NOT NULL, desired INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS ticks_of_pool ON ticks (pool, id);
"""
INSERT_DECISION = "INSERT INTO decisions (at, pool, current, desired, reason, why, json) VALUES (?, ?, ?, ?, ?, ?, ?)"
INSERT_TICK = (
    "INSERT INTO ticks (at, pool, backlog, busy, ready, starting, draining, desired, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
DAY = 86400.0
KEPT: dict[str, tuple[float, int]] = {"decisions": (7 * DAY, 50_000), "ticks": (2 * DAY, 1_000_000)}
"""table -> (seconds that a row is kept, rows that are kept at most)."""
BITE = 5000
"""Rows that one statement of a pruning may delete."""
MOST_BITES = 20
BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
WRITE_WAIT_SECONDS = 2.0
READ_WAIT_SECONDS = 1.0

TickRow = tuple[float, str, int | None, int | None, int, int, int, int, str]
DecisionRow = tuple[float, str, int, int, str, str, str]


def open_to_write(path: Path) -> sqlite3.Connection:
    """The writer's connection to a file that has our schema; one thread uses it at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=WRITE_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _refuse_newer(connection)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA journal_size_limit=16777216")
        connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_newer(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise NewerFile(f"it was written by a newer version (schema {version}, this one knows {SCHEMA_VERSION})")


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


def write(
    connection: sqlite3.Connection, memory: tuple[float, str] | None, decisions: Iterable[DecisionRow], ticks: Iterable[TickRow]
) -> None:
    """One transaction: all of it is there afterwards, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if memory:
            connection.execute("REPLACE INTO memory (id, at, json) VALUES (1, ?, ?)", memory)
        connection.executemany(INSERT_DECISION, decisions)
        connection.executemany(INSERT_TICK, ticks)
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


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


def read_ticks(connection: sqlite3.Connection, pool: str, since: float, limit: int) -> list[dict[str, Any]]:
    """The newest ticks of a pool since then, oldest first."""
    columns = "at, backlog, busy, ready, starting, draining, desired, reason"
    query = f"SELECT {columns} FROM ticks WHERE pool = ? AND at >= ? ORDER BY id DESC LIMIT ?"  # noqa: S608 - a constant
    return [dict(row) for row in connection.execute(query, (pool, since, limit))][::-1]
