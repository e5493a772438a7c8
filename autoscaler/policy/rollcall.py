"""Which replicas are remembered by name, and for what: found in one pass over a look's replicas.

`memory.py` folds it from look to look. A name is forgotten with its container.
"""

from __future__ import annotations

from typing import NamedTuple

from autoscaler.model import Phase, PoolMemory, PoolView

_READY, _STARTING, _DRAINING = Phase.READY, Phase.STARTING, Phase.DRAINING


class RollCall(NamedTuple):
    """Names in the order of the look, `ready` sorted; see the fields of `PoolMemory`."""

    ready: tuple[str, ...]
    idle: tuple[str, ...]
    starting: tuple[str, ...]
    silent: tuple[tuple[str, float], ...]
    unheard: tuple[tuple[str, float], ...]
    audible: bool


def roll_call(old: PoolMemory, view: PoolView, now: float) -> RollCall:
    """What is to be remembered of the replicas of this look."""
    if not (view.replicas or view.exited):
        return RollCall((), (), (), (), (), old.audible)
    before, ready = frozenset(old.ready), {c.name for c in view.exited}.intersection(old.ready)
    idle: list[str] = []
    starting: list[str] = []
    silent: list[tuple[str, float]] = []
    unheard: list[tuple[str, float]] = []
    audible = old.audible
    for r in view.replicas:
        name, phase = r.name, r.phase
        serves = phase is not _DRAINING and not r.start_failed
        audible = audible or r.heard
        if r.container_id and (name in before or (r.heard and serves)):
            ready.add(name)
        if serves and phase is _READY and r.is_idle:
            idle.append(name)
        elif serves and phase is _STARTING:
            starting.append(name)
        if r.said_offline:
            silent.append((name, dict(old.silent).get(name, now)))
        if r.unheard_seconds:
            unheard.append((name, r.unheard_seconds))
    return RollCall(tuple(sorted(ready)), tuple(idle), tuple(starting), tuple(silent), tuple(unheard), audible)
