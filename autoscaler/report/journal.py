"""What was seen, decided and remembered, kept on disk: one writer thread, so that no disk ever delays the loop.

The loop hands every record in; the next start takes the memory back out, so that windows, cooldowns and drains survive a
`kill -9`; the web room and the command line read decisions and ticks. A journal that cannot be written costs its rows and
nothing else: failures are counted in `errors` and told once when they begin and once when they end.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog

from autoscaler.errors import AutoscalerError
from autoscaler.model import Memory, Order, Outcome, PoolDecision, Record, Result
from autoscaler.policy.steering import told
from autoscaler.report import shelf
from autoscaler.report.plain import memory_from_json, memory_to_json, to_plain
from autoscaler.report.redact import redactor
from autoscaler.report.sentence import why
from autoscaler.report.ticks import Look, Run, pool_tick

T = TypeVar("T")

MOST_WAITING = 500
"""Records that may wait for the disk; about a quarter of an hour of ticks."""
HEARTBEAT_SECONDS = 60.0
"""A pool that says nothing new is written down this often all the same."""
PRUNE_EVERY_SECONDS = 300.0


class JournalUnreadable(AutoscalerError):
    """The journal cannot be read now; what it holds is not known, which is not the same as nothing."""


class Journal:
    """The record on disk."""

    def __init__(self, path: Path | str) -> None:
        self.errors = 0
        """Records that are not in the journal because it could not be written."""
        self._path = Path(path)
        self._log = structlog.stdlib.get_logger("autoscaler.journal")
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Record, Memory]] = deque()
        self._noted: deque[Order] = deque(maxlen=MOST_WAITING)
        self._writing = False
        self._closed = False
        self._trouble = ""
        self._said: dict[str, tuple[tuple[Any, ...], float]] = {}
        self._runs: dict[str, Run] = {}
        self._looked = False
        """Whether a tick of this process stands in the file."""
        self._pruned_at = 0.0
        self._readers = threading.local()
        self._connection: sqlite3.Connection | None = None
        self._inode: int | None = None
        """The file that the connection writes to, which may be deleted or replaced under it."""
        self._attempt(self._open)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    # ---------------------------------------------------------------- writing

    def record(self, record: Record, memory: Memory) -> None:
        """Take one record and the memory after it; returns at once, whatever the disk does."""
        with self._changed:
            if self._closed or len(self._waiting) >= MOST_WAITING:
                self.errors += 1
                return
            self._waiting.append((record, memory))
            self._changed.notify_all()

    def note(self, order: Order) -> None:
        """Take one order for the history; returns at once. What stands is kept elsewhere, by the desk."""
        with self._changed:
            self._noted.append(order)
            self._changed.notify_all()

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until everything taken so far was written or given up; False when that took longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._waiting or self._noted or self._writing), seconds)

    def close(self) -> None:
        """Write what waits, within 2 s, and let go of the file."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(2.0)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._noted or self._closed)
                batch, noted = list(self._waiting), list(self._noted)
                self._waiting.clear()
                self._noted.clear()
                self._writing = True
            if not batch and not noted:
                break
            if not self._attempt(partial(self._write, batch, noted)):
                self._count_lost(len(batch) + len(noted))
        self._let_go()
        with self._changed:
            self._writing = False
            self._changed.notify_all()

    def _count_lost(self, records: int) -> None:
        self._forget_rows()
        with self._changed:
            self.errors += records

    def _write(self, batch: list[tuple[Record, Memory]], noted: list[Order]) -> None:
        connection = self._open()
        decisions = [row for record, _ in batch for pool in record.decision.pools if (row := self._decision(record, pool))]
        looks = [_look(*taken, fresh=number == 0 and not self._looked) for number, taken in enumerate(batch)]
        memory = (batch[-1][0].at, memory_to_json(batch[-1][1])) if batch else None
        shelf.write(connection, shelf.Page(memory, decisions, looks, [_order_row(order) for order in noted]), self._runs)
        self._looked = self._looked or bool(batch)
        if memory and abs(memory[0] - self._pruned_at) >= PRUNE_EVERY_SECONDS:
            self._pruned_at = memory[0]
            shelf.prune(connection, memory[0])

    def _decision(self, record: Record, pool: PoolDecision) -> shelf.DecisionRow | None:
        """A row where the pool says something new, or has said nothing for a while."""
        outcomes = tuple(o for o in record.outcomes if o.action.pool == pool.pool and o.result is not Result.PENDING)
        says = (pool.desired, pool.reason, tuple((a.kind, a.replica) for a in pool.actions), pool.view.blind)
        before, at = self._said.get(pool.pool, ((), 0.0))
        if says == before and not outcomes and abs(record.at - at) < HEARTBEAT_SECONDS:
            return None
        self._said[pool.pool] = (says, record.at)
        return _decision_row(record, pool, outcomes)

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._inode != _inode(self._path):
            self._let_go()
            self._forget_rows()
            self._log.warning("journal_replaced", path=str(self._path), advice="what it held is gone; it is begun anew")
        if self._connection is None:
            try:
                self._connection = shelf.open_to_write(self._path)
            except sqlite3.Error as error:
                if not shelf.is_broken(error):
                    raise
                self._set_aside(error)
                self._connection = shelf.open_to_write(self._path)
            self._inode = _inode(self._path)
        return self._connection

    def _forget_rows(self) -> None:
        """What went with the file, or never came into it, is news again."""
        self._said.clear()
        self._runs.clear()

    def _set_aside(self, error: Exception) -> None:
        aside = shelf.set_aside(self._path)
        self._log.warning("journal_set_aside", path=str(self._path), moved_to=str(aside), error=str(error))

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _attempt(self, work: Callable[[], Any]) -> bool:
        """Do it and tell where the state of the disk changed; a damaged file is set aside for the next attempt."""
        try:
            work()
        except (sqlite3.Error, OSError) as error:
            self._tell(f"{type(error).__name__}: {error}")
            self._recover(error)
            return False
        except Exception:
            # A bug while encoding one record must not end the thread: the next record may well be written.
            self._log.exception("journal: a record could not be encoded")
            return False
        self._tell("")
        return True

    def _recover(self, error: Exception) -> None:
        """Start over with a new connection: after a full disk or a damaged file the old one is worth nothing."""
        try:
            self._let_go()
            if isinstance(error, sqlite3.Error) and shelf.is_broken(error) and self._path.exists():
                self._set_aside(error)
        except (sqlite3.Error, OSError) as again:
            self._log.warning("journal_not_mended", path=str(self._path), error=str(again))

    def _tell(self, trouble: str) -> None:
        if bool(trouble) == bool(self._trouble):
            return
        self._trouble = trouble
        if trouble:
            advice = "decisions go on; make room on the disk or make the state folder writable"
            self._log.warning("journal_not_written", path=str(self._path), error=trouble, advice=advice)
        else:
            self._log.info("journal_written_again", path=str(self._path), lost=self.errors)

    # ---------------------------------------------------------------- reading

    def load_memory(self) -> tuple[Memory, float] | None:
        """The newest memory and when it was written; None where there is none that can be trusted whole."""
        try:
            kept = self._read(shelf.read_memory)
        except JournalUnreadable as error:
            self._log.warning("journal_not_read", path=str(self._path), error=str(error))
            return None
        memory = memory_from_json(kept[0]) if kept else None
        return (memory, kept[1]) if kept and memory is not None else None

    def decisions(self, pool: str, limit: int, before: int | None = None) -> list[dict[str, Any]]:
        """The newest decisions of a pool, newest first; `before` takes the `id` of the last one read. Raises JournalUnreadable."""
        rows = self._read(lambda connection: shelf.read_decisions(connection, pool, limit, before))
        return [_unfolded(row) for row in rows]

    def orders(self, pool: str | None, limit: int) -> list[dict[str, Any]]:
        """The newest orders of a pool, or of all, newest first, each with its words as `told`. Raises JournalUnreadable."""
        rows = self._read(lambda connection: shelf.read_orders(connection, pool, limit))
        return [_unfolded(row) for row in rows]

    def ticks(self, pool: str, since: float, limit: int) -> list[dict[str, Any]]:
        """The newest ticks of a pool since then, oldest first; of a quiet stretch its first and last. Raises JournalUnreadable."""
        return self._read(lambda connection: shelf.read_ticks(connection, pool, since, limit))

    def news(self, after: int, limit: int) -> list[dict[str, Any]]:
        """The newest decisions of all pools after this id, oldest first, with what became of their actions. Raises JournalUnreadable."""
        rows = self._read(lambda connection: shelf.read_news(connection, after, limit))
        return [_headline(row) for row in rows]

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Ask on this thread's own connection, opened anew where the file was replaced meanwhile."""
        try:
            inode = self._path.stat().st_ino
            if getattr(self._readers, "inode", None) != inode:
                self._close_reader()
                self._readers.connection, self._readers.inode = shelf.open_to_read(self._path), inode
            return query(self._readers.connection)
        except (sqlite3.Error, OSError) as error:
            self._close_reader()
            raise JournalUnreadable(f"the journal cannot be read: {error}") from error

    def _close_reader(self) -> None:
        self._readers.inode = None
        if connection := getattr(self._readers, "connection", None):
            with suppress(sqlite3.Error):
                connection.close()


def _brief(outcome: dict[str, Any]) -> dict[str, Any]:
    """What became of one action, for a line in a list."""
    action, ended = outcome["action"], outcome["exit"]
    told = {"kind": action["kind"], "replica": action["replica"], "result": outcome["result"], "detail": outcome["detail"]}
    return {**told, "code": ended["code"] if ended else None, "oom": bool(ended and ended["oom"])}


def _inode(path: Path) -> int | None:
    """Which file stands at the path, None when none does."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _look(record: Record, memory: Memory, *, fresh: bool) -> Look:
    return Look(record.at, fresh, {pool.pool: pool_tick(pool, memory, record.at) for pool in record.decision.pools})


def _unfolded(row: dict[str, Any]) -> dict[str, Any]:
    """A row with what its JSON holds in place of the JSON."""
    whole = json.loads(row.pop("json"))
    return {**row, **whole}


def _headline(row: dict[str, Any]) -> dict[str, Any]:
    """A row with what became of its actions, in place of all that its JSON holds."""
    outcomes = json.loads(row.pop("json"))["outcomes"]
    return {**row, "outcomes": [_brief(outcome) for outcome in outcomes]}


def _order_row(order: Order) -> shelf.OrderRow:
    return (order.at, order.pool, redactor.text(told(order, order.at)), json.dumps(redactor(to_plain(order)), ensure_ascii=False))


def _decision_row(record: Record, pool: PoolDecision, outcomes: tuple[Outcome, ...]) -> shelf.DecisionRow:
    """Everything about one decision; texts from outside (log lines of workers, errors) lose their secrets here."""
    whole = {**to_plain(pool), "direction": pool.direction, "config_hash": record.config_hash, "outcomes": to_plain(outcomes)}
    told = redactor.text(why(pool, record.at))
    return (record.at, pool.pool, pool.current, pool.desired, str(pool.reason), told, json.dumps(redactor(whole), ensure_ascii=False))
