"""A drain from look to look: is the worker really leaving, and if not, why? Pure: looks in, the drain's story out.

`memory.py` folds `followed` over every look, `selection.py` sends a signal again that came to nothing, and the status and the log
tell of `ailments`. A worker is drained by a signal (Celery's warm shutdown) and then waited for; what can go wrong with that, measured:

* the signal comes to nothing: a shell in front of the worker swallows it, or it came in the first 0.2 s of a worker that is the
  first process of its container. The worker goes on as if nothing was said. A second signal does no harm and may be heard.
* the broker does not answer: a worker cannot take its leave from it, and goes when the broker is back.
* an idle worker stays for as long as its `polling_interval`, because it listens for signals only between two polls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from autoscaler.model import Drain, Observation, Phase, PoolMemory, PoolView, Replica, WorkerSight
from autoscaler.model.readings import known

DEFIANT_SECONDS = 15.0
"""How long a worker may be heard after its signal as if nothing had been said. Flower hears one that leaves for 3 s at most."""
PLAIN_SECONDS = 45.0
"""How long it is waited with a word about that: a `polling_interval` of 30 s delays even an obedient worker."""
LINGERING_SECONDS = 30.0
"""How long an idle worker may take to leave before it is asked why."""


class Ailment(StrEnum):
    """What is wrong with a drain."""

    SIGNAL_IGNORED = "signal_ignored"
    BROKER_SILENT = "broker_silent"
    IDLE_LINGERS = "idle_lingers"


@dataclass(frozen=True, slots=True)
class Ailing:
    """One drain that does not go as it should."""

    replica: str
    ailment: Ailment
    words: str
    """What is seen and what to do."""


def defies(drain: Drain, voice: WorkerSight, slots: int) -> bool:
    """Whether the worker is heard and surely not leaving: it has nothing to do and stays, or it has begun more tasks than it held.

    One that leaves is silent while it finishes its tasks, but for the events of their ends; those are no sign of defiance.

    >>> from autoscaler.model import Known, Unknown
    >>> a, no = Known(True, 0.0, "flower"), Unknown("not asked")
    >>> voice = WorkerSight("celery@w", a, Known(2, 0.0, "flower"), no, no, no, no, started=Known(15, 0.0, "flower"), finished=no)
    >>> defies(Drain("w", 0.0, "idle", started=10), voice, slots=2), defies(Drain("w", 0.0, "idle", started=14), voice, slots=2)
    (True, False)
    """
    if not known(voice.online) or known(voice.draining):
        return False
    running, started = known(voice.running), known(voice.started)
    return running == 0 or (started is not None and drain.started is not None and started > drain.started + slots)


def followed(drain: Drain, replica: Replica | None, now: float) -> Drain:
    """The drain after one more look; its signal counts as not sent where the worker has gone on as if it had heard nothing."""
    if replica is None or not drain.sent:
        return drain
    if not replica.defies:
        return replace(drain, defiant_since=None) if drain.defiant_since is not None else drain
    since = now if drain.defiant_since is None else drain.defiant_since
    return replace(drain, defiant_since=since, sent=now - since < DEFIANT_SECONDS)


def signalled(drain: Drain, now: float) -> Drain:
    """The drain after a signal that is known to have been sent."""
    told_at = now if drain.told_at is None else drain.told_at
    return replace(drain, sent=True, signals=drain.signals + 1, told_at=told_at, defiant_since=None)


def is_overdue(drain: Drain, timeout_seconds: float, now: float) -> bool:
    """Whether the worker has had its time and was not killed yet; one that was never told to leave has not begun to use it."""
    if drain.killed or (drain.told_at is None and not drain.sent):
        return False
    return now - (drain.since if drain.told_at is None else drain.told_at) > timeout_seconds


def ailments(view: PoolView, memory: PoolMemory, seen: Observation, now: float) -> Iterator[Ailing]:
    """Every drain of this pool that does not go as it should."""
    drains = {drain.replica: drain for drain in memory.drains}
    for replica in view.of(Phase.DRAINING):
        drain = drains.get(replica.name)
        if drain and (found := _ailment(drain, replica, memory, seen, now)):
            yield found


def _ailment(drain: Drain, replica: Replica, memory: PoolMemory, seen: Observation, now: float) -> Ailing | None:
    lasted = now - drain.since
    if drain.signals > 1 and replica.defies and lasted > PLAIN_SECONDS:
        words = (
            f"was told {drain.signals} times to leave, first {lasted:.0f} s ago, and goes on as if nothing was said: the stop signal "
            f"does not reach Celery; let the command begin with celery, or its script end with exec celery ..."
        )
        return Ailing(drain.replica, Ailment.SIGNAL_IGNORED, words)
    idle = replica.is_idle or (replica.running is None and drain.was_idle)
    if not idle or lasted < max(LINGERING_SECONDS, 2.0 * memory.stop_seconds):
        return None
    silent = [source.name for source in seen.sources if not source.up and source.name.startswith(("flower", "broker"))]
    if silent:
        words = f"has nothing left to do and has not left for {lasted:.0f} s: it takes leave of the broker, and {silent[0]} does not answer"
        return Ailing(drain.replica, Ailment.BROKER_SILENT, words)
    words = (
        f"has nothing left to do and has not left for {lasted:.0f} s: does the worker have a polling_interval, or does its program hang? "
        f"Look at its log"
    )
    return Ailing(drain.replica, Ailment.IDLE_LINGERS, words)
