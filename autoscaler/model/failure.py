"""How a worker can fail, one word for each: the same in memory, metrics, log and documentation.

A door says why a start was refused (`errors.Refusal` has the same words), `policy/failures.py` finds the rest from how it ended.
"""

from __future__ import annotations

from enum import StrEnum


class Failure(StrEnum):
    """How a worker ended, or failed to begin, without being asked to leave."""

    IMAGE_MISSING = "image_missing"
    PULL_FAILED = "pull_failed"
    NAME_TAKEN = "name_taken"
    NETWORK_MISSING = "network_missing"
    NO_ROOM = "no_room"
    ENGINE = "engine"
    START_REFUSED = "start_refused"
    START_TIMEOUT = "start_timeout"
    NEVER_STARTED = "never_started"
    BROKER = "broker"
    OOM = "oom"
    KILLED = "killed"
    WITH_ENGINE = "with_engine"
    EXIT_NONZERO = "exit_nonzero"
    EXIT_UNASKED = "exit_unasked"
    LOST = "lost"


MEANING: dict[Failure, str] = {
    Failure.IMAGE_MISSING: "The image is not on the Docker host.",
    Failure.PULL_FAILED: "The image could not be fetched from its registry.",
    Failure.NAME_TAKEN: "A container of that name exists and is not ours.",
    Failure.NETWORK_MISSING: "A network that the worker should join does not exist.",
    Failure.NO_ROOM: "The engine's disk is full.",
    Failure.ENGINE: "The engine did not answer, or did not let us.",
    Failure.START_REFUSED: "The engine refused this worker for another reason; the log has its words.",
    Failure.START_TIMEOUT: "Not heard within `start.timeout`, though it would have been; drained, with its last words in the log.",
    Failure.NEVER_STARTED: "Created and never started: its start was cut off, with the daemon or the engine.",
    Failure.BROKER: "Its last words say that the broker turned it away; no crash loop, the next start waits for the broker.",
    Failure.OOM: "Out of memory, by the engine's own word.",
    Failure.KILLED: "Ended by SIGKILL, and not by us.",
    Failure.WITH_ENGINE: "Cut off with all others of its pool while the engine could not be seen, which died with them; no crash loop.",
    Failure.EXIT_NONZERO: "Ended by itself with an error.",
    Failure.EXIT_UNASKED: "Ended by itself without an error.",
    Failure.LOST: "Its container runs and its voice is gone; counted once, when it goes.",
}
