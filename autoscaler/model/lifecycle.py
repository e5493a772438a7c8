"""The life of a replica as a table: in which phase it is, what happened, in which phase it is then.

`policy/replicas.py` finds the event in each look and asks `after`; the diagram in `docs/lifecycle.md` is drawn from the same rows.
Nothing is remembered of a phase: each look finds it anew from what is listed, heard and remembered, so a restart loses none.
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Where a replica is in its life."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPING = "stopping"
    LOST = "lost"
    FOREIGN = "foreign"


MEANING: dict[Phase, str] = {
    Phase.STARTING: "Ordered or created, and not heard yet.",
    Phase.READY: "Heard: it takes tasks.",
    Phase.DRAINING: "Told to leave: it finishes what it runs and takes nothing new.",
    Phase.STOPPING: "Ended: its exit code and last words are read, then its container is removed.",
    Phase.LOST: "A container without a voice: it may work or hang, so it is neither stopped as idle nor counted on.",
    Phase.FOREIGN: "A voice without a container of ours that consumes the same queues: counted as capacity, never touched.",
}


class Event(StrEnum):
    """What a look finds out about a replica; the text is what stands at the arrow."""

    CREATED = "created"
    HEARD = "heard"
    PRESUMED = "old, and nobody could have heard it"
    OVERDUE = "not heard within start.timeout"
    SILENT = "silent for 10 s"
    LEAVING = "told to leave"
    ENDED = "ended"
    REMOVED = "removed"


TABLE: dict[tuple[Phase | None, Event], Phase | None] = {
    (None, Event.CREATED): Phase.STARTING,
    (Phase.STARTING, Event.HEARD): Phase.READY,
    (Phase.STARTING, Event.PRESUMED): Phase.READY,
    (Phase.STARTING, Event.OVERDUE): Phase.LOST,
    (Phase.STARTING, Event.LEAVING): Phase.DRAINING,
    (Phase.STARTING, Event.ENDED): Phase.STOPPING,
    (Phase.READY, Event.SILENT): Phase.LOST,
    (Phase.READY, Event.LEAVING): Phase.DRAINING,
    (Phase.READY, Event.ENDED): Phase.STOPPING,
    (Phase.LOST, Event.HEARD): Phase.READY,
    (Phase.LOST, Event.LEAVING): Phase.DRAINING,
    (Phase.LOST, Event.ENDED): Phase.STOPPING,
    (Phase.DRAINING, Event.ENDED): Phase.STOPPING,
    (Phase.STOPPING, Event.REMOVED): None,
    (None, Event.HEARD): Phase.FOREIGN,
    (Phase.FOREIGN, Event.SILENT): None,
}
"""(phase, event) -> next phase; None is before the beginning and after the end. What is not listed changes nothing."""


_AFTER = {start: {event: then for (phase, event), then in TABLE.items() if phase is start} for start in Phase}


def after(phase: Phase, event: Event | None) -> Phase:
    """The phase after this event, the same one where the table has no row for it.

    >>> after(Phase.STARTING, Event.HEARD), after(Phase.DRAINING, Event.HEARD)
    (<Phase.READY: 'ready'>, <Phase.DRAINING: 'draining'>)
    """
    found = _AFTER[phase].get(event, phase) if event else phase
    assert found is not None, "a replica that is listed has a phase"
    return found


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    rows = [f"    {phase or '[*]'} --> {then or '[*]'}: {event}" for (phase, event), then in TABLE.items()]
    return "\n".join(["stateDiagram-v2", *rows])
