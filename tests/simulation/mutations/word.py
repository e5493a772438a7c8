"""Deliberate faults against orders, brokers, budgets, wakes and daemons that stand by (P3, P7, P8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from unittest.mock import patch

import autoscaler.clock
import autoscaler.desk
import autoscaler.model.orders
import autoscaler.policy.allowance
import autoscaler.policy.failover
import autoscaler.policy.lanes
import autoscaler.standby
from autoscaler.model.spending import Purse

from .seams import mutation, wrapped

# ---------------------------------------------------------------- orders

RESTARTS = ("kill -9 of the daemon", "The daemon is stopped (SIGTERM) and started")
AWAY = ("The broker refuses connections", "The broker's quota is used up")
BY_HAND = ("A pool is paused", "A pool is set by hand", "A pool is sent home")


@mutation("Forgets orders on restart", "I17", faults=(*BY_HAND, *RESTARTS), first=3)
def _orders_lost() -> Iterator[None]:
    with patch.object(autoscaler.desk.Desk, "_load", lambda self: {}):
        yield


@mutation("Follows orders whose time is over", "I17", faults=BY_HAND, first=3)
def _orders_forever() -> Iterator[None]:
    with patch.object(autoscaler.model.orders.Order, "in_force", lambda self, now: True):
        yield


@mutation("Looks at orders when it is time for a tick", "I17", faults=BY_HAND, first=7)
def _no_hurry() -> Iterator[None]:
    with patch.object(autoscaler.clock.SystemClock, "nudge", lambda self, within_seconds=0.0: None):
        yield


# ---------------------------------------------------------------- brokers and budgets


@mutation("Stays with a broker that is gone", "I18", faults=AWAY, first=11)
def _loyal() -> Iterator[None]:
    with patch.object(autoscaler.policy.failover, "_is_down", lambda track, sight: False):
        yield


@mutation("Forgets what waits on the other broker", "I3", "I7", faults=AWAY, first=5)
def _strands() -> Iterator[None]:
    with patch.object(autoscaler.policy.lanes, "_is_needed", lambda lane, look, memory: False):
        yield


@mutation("Stops at a spent budget though told to go on", "I7", "I19", first=6)
def _stingy() -> Iterator[None]:
    def wrap(purse: Callable[..., Purse]) -> Callable[..., Purse]:
        return lambda account, meter: replace(purse(account, meter), spent=account.is_spent)

    with wrapped(autoscaler.policy.allowance, "purse", wrap):
        yield


@mutation("Goes on at a spent budget though told to stop", "I19")
def _spendthrift() -> Iterator[None]:
    def wrap(purse: Callable[..., Purse]) -> Callable[..., Purse]:
        return lambda account, meter: replace(purse(account, meter), spent=False)

    with wrapped(autoscaler.policy.allowance, "purse", wrap):
        yield


# ---------------------------------------------------------------- daemons


@mutation("Stands by and never takes over", "I20", faults=("A second daemon stands by", *RESTARTS))
def _never_relieves() -> Iterator[None]:
    with patch.object(autoscaler.standby.Standby, "_try", lambda self, state: None):
        yield
