"""The desk: where orders are given, kept on disk, and picked up by the loop.

The web server's threads give; the loop's thread looks and follows. An order stands from the moment it is given: it is in the
state folder before anybody is told that it was taken, so that neither a restart nor a `kill -9` forgets it. Nothing acts here:
the next look carries the orders, and the desk brings it forward.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import structlog

from autoscaler.errors import AutoscalerError
from autoscaler.loop import Eyes
from autoscaler.model import Memory, Observation, Order, OrderKind, Orders, Policies, Record
from autoscaler.model.moment import shifted
from autoscaler.model.orders import given
from autoscaler.policy.steering import standing_after, told
from autoscaler.report.plain import orders_from_json, to_json

PATIENCE_SECONDS = 5.0
"""How long one order waits for others that are being written."""
WAKE_EVERY_SECONDS = 2.0
"""Wakes of one pool bring a tick forward this often; one that comes sooner is looked after when this time is over."""


class NotKept(AutoscalerError):
    """An order could not be written down, so it was not taken: after a restart nobody would know of it."""


FILE = "orders.json"
"""Where in the state folder the standing orders are kept."""


class Desk:
    """The standing orders of all pools."""

    def __init__(
        self,
        path: Path,
        note: Callable[[Order], None],
        bring_forward: Callable[[float], None],
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        """`note` is told of every order that was taken; `bring_forward` makes the next tick begin within so many seconds."""
        self._path, self._note, self._bring_forward, self._monotonic = path, note, bring_forward, monotonic or time.monotonic
        self._log = structlog.stdlib.get_logger("autoscaler.desk")
        self._giving, self._changing = threading.Lock(), threading.Lock()
        self._woken: dict[str, float] = {}
        """pool -> when a wake brought a tick forward, on the monotonic clock."""
        self.standing: Orders = self._load()
        """What stands now; a new value after every change."""

    def give(self, order: Order) -> tuple[Order, ...]:
        """Take an order and answer what stands for its pool; raises NotKept where it cannot be written down.

        A wake is taken all the same: it is over with the next look at the queue, and a full disk must not keep work waiting.
        """
        if not self._giving.acquire(timeout=PATIENCE_SECONDS):
            raise NotKept("the order was not taken: an earlier one is still being written; look at the disk of the state folder")
        try:
            self._keep(_with(self.standing, order), urgent=order.kind is OrderKind.WAKE)
            with self._changing:
                self.standing = _with(self.standing, order)
        finally:
            self._giving.release()
        self._tell(order)
        self._bring_forward(self._patience_with(order))
        return self.standing.get(order.pool, ())

    def pass_on(self, order: Order) -> None:
        """Take an order that stands for nothing, as that to read the configuration: the next tick does what it says."""
        self._tell(order)
        self._bring_forward(0.0)

    def follow(self, record: Record, _memory: Memory) -> None:
        """Forget what is over after this tick; a reporter of the loop."""
        with self._changing:
            self.standing = standing_after(self.standing, record)

    def shift(self, seconds: float) -> None:
        """Move every order along with a wall clock that was set, so that each has as much time left as before."""
        with self._changing:
            self.standing = {name: tuple(shifted(order, seconds) for order in orders) for name, orders in self.standing.items()}
            self._keep(self.standing, urgent=True)

    def _patience_with(self, order: Order) -> float:
        """How long the next tick may take to come."""
        if order.kind is not OrderKind.WAKE:
            return 0.0
        left = self._until_next_wake(order.pool)
        if left <= 0:
            self._woken[order.pool] = self._monotonic()
        return max(0.0, left)

    def _until_next_wake(self, pool: str) -> float:
        """Seconds until a wake of this pool may bring a tick forward again; below zero once it may."""
        return self._woken.get(pool, -math.inf) + WAKE_EVERY_SECONDS - self._monotonic()

    def _tell(self, order: Order) -> None:
        wake = order.kind is OrderKind.WAKE
        if wake and self._until_next_wake(order.pool) > 0:
            return  # a busy producer wakes many times a second; the first of them tells the story
        self._log.log(10 if wake else 20, "ordered", pool=order.pool, order=told(order, order.at))
        self._note(order)

    # ---------------------------------------------------------------- the file

    def _load(self) -> Orders:
        """What stood when the daemon ended; a file that cannot be used is put aside and loudly missed."""
        orders = read(self._path)
        if orders is not None:
            return orders
        with suppress(OSError):
            self._path.replace(self._path.with_suffix(".unusable"))
        advice = "pools that were paused or set by hand are not any more: give those orders again"
        self._log.error("orders_lost", path=str(self._path), advice=advice)
        return {}

    def _keep(self, orders: Orders, *, urgent: bool) -> None:
        try:
            _write(self._path, to_json(orders), sync=not urgent)
        except OSError as error:
            if not urgent:
                raise NotKept(f"the order was not taken, because it cannot be written to {self._path}: {error.strerror}") from error


class EyesWithOrders:
    """Eyes that see what was ordered, too; satisfies `loop.Eyes`."""

    def __init__(self, eyes: Eyes, desk: Desk) -> None:
        self._eyes, self._desk = eyes, desk

    def look(self, policies: Policies, now: float) -> Observation:
        """What there is to see, and the orders that stood when the look began: what comes meanwhile is for the next one."""
        orders = self._desk.standing
        return replace(self._eyes.look(policies, now), orders=orders)


def read(path: Path) -> Orders | None:
    """The orders in this file; None where it is there and cannot be read as such."""
    try:
        return orders_from_json(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError):
        return None


def _with(orders: Orders, order: Order) -> Orders:
    left = given(orders.get(order.pool, ()), order)
    return {name: standing for name, standing in {**orders, order.pool: left}.items() if standing}


def _write(path: Path, text: str, *, sync: bool) -> None:
    """Whole or not at all; with `sync` it also survives the power."""
    fresh = path.with_suffix(".new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    fresh.replace(path)
    if sync:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
