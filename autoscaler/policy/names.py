"""Names of new replicas, `<instance>-<pool>-<six hex digits>`: counted on from the highest number that was ever seen.

`selection.py` takes the next ones for its starts, `memory.py` keeps the highest. A name never comes back, because two workers of one
name merge in Flower. And two daemons that were given the same instance by mistake, or the next one after a `kill -9`, see the same
workers and so count alike: both ask for the same names, and the engine makes one container of each. Where nothing was ever seen, the
count begins with the time.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator

from autoscaler.model import Action, ActionKind, PoolMemory, PoolPolicy, PoolView

BEGIN_SECONDS = 10
"""Daemons that begin to count within the same stretch of this length count alike."""
NUMBERS = 16**6
_NUMBERED = re.compile(r"-([0-9a-f]{6,8})$")


def new_names(instance: str, lane: PoolPolicy, view: PoolView, memory: PoolMemory, now: float) -> Iterator[str]:
    """An endless row of names that no worker of this lane has had."""
    highest = latest(memory.serial, _listed(view)) or _beginning(lane.broker, now)
    return (f"{instance}-{lane.name}-{number:06x}" for number in itertools.count(highest + 1))


def serial_after(old: PoolMemory, view: PoolView, actions: Iterable[Action]) -> int:
    """The highest number seen or ordered by now; also of a start that failed, as it may have happened all the same.

    Names that are remembered were counted when they were first seen.
    """
    new = set(_listed(view))
    if old.serial:
        new.difference_update(old.ready, old.starting)
    return latest(old.serial, new, [a.replica for a in actions if a.kind is ActionKind.START]) if new or actions else old.serial


def latest(before: int, *names: Iterable[str]) -> int:
    """The highest number so far, with those of these names.

    >>> latest(0x1f, ["main-mail-00002a", "somebody's"])
    42
    """
    found = (_NUMBERED.search(name) for name in itertools.chain(*names))
    return max([before, *(int(number[1], 16) for number in found if number)])


def _listed(view: PoolView) -> list[str]:
    running = [r.name for r in view.replicas]
    return [*running, *[c.name for c in view.exited]] if view.exited else running


def _beginning(broker: str, now: float) -> int:
    """Where the count begins: later beginnings lie higher, and every broker of a pool has a stretch of its own."""
    apart = int(hashlib.sha256(broker.encode()).hexdigest()[:6], 16) if broker else 0
    return (int(now) // BEGIN_SECONDS * BEGIN_SECONDS + apart) % NUMBERS
