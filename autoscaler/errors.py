"""One tree of errors, ordered by what the loop must do about them.

    AutoscalerError
    |-- ConfigError          the operator's file; a running daemon keeps the old settings
    |-- SightError           we could not see: becomes a gap in the Observation, never a zero
    |   |-- SourceUnreachable    no connection, no answer within the deadline
    |   |-- AnswerUnusable       it spoke, but what it said cannot be trusted (status, shape, size, redirect)
    |   `-- FleetUnreachable     the engine did not answer, or refused us
    |-- ActError             we could not do: becomes a failed Outcome, the next tick decides afresh
    |   |-- StartRefused         image, name, network or room: the text says which
    |   |-- ContainerGone        already what we wanted: becomes "nothing to do"
    |   `-- DryRun               dry run: becomes "nothing to do", and is not remembered as done
    |-- LockHeld             another instance owns the state folder
    `-- TraceUnusable        a file of tasks for the simulator that cannot be used

Errors of third-party libraries stop at the door they come from: each door raises one of these, chained with `from`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AutoscalerError(Exception):
    """Root of every expected trouble; anything else that is raised is a bug."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the configuration, with the place to mend it."""

    path: str
    """Dotted path of the key, `pools.browser.replicas.max`; empty for the file as a whole."""
    message: str
    """What is wrong and what to write instead."""
    line: int = 0
    """1-based line, 0 when the problem has no place in the file."""
    column: int = 0

    def located(self, file: str) -> str:
        """`file:line:col: path: message`, the form editors and terminals make clickable."""
        place = f"{file}:{self.line}:{self.column}" if self.line else file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class ConfigError(AutoscalerError):
    """The configuration cannot be used; carries every problem at once."""

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        self.file = file
        self.problems = problems
        super().__init__("\n".join(problem.located(file) for problem in problems))


class SightError(AutoscalerError):
    """We could not see. Never to be read as zero."""

    def __init__(self, text: str = "", *, kind: str = "") -> None:
        super().__init__(text)
        self.kind = kind
        """What sort of trouble, for those who decide by it (`model.Health` of a broker); the text is for people."""


class SourceUnreachable(SightError):
    """No connection, or no whole answer within the deadline."""


class AnswerUnusable(SightError):
    """An answer came that must not be believed."""


class FleetUnreachable(SightError):
    """The engine that runs the workers did not answer, or refused us."""


class ActError(AutoscalerError):
    """An action on a worker was refused."""


class Refusal(StrEnum):
    """Why a start was refused; `model.Failure` has the same words."""

    IMAGE_MISSING = "image_missing"
    PULL_FAILED = "pull_failed"
    NAME_TAKEN = "name_taken"
    NETWORK_MISSING = "network_missing"
    NO_ROOM = "no_room"
    OTHER = "start_refused"


class StartRefused(ActError):
    """The engine would not start a worker: image, name, network or room; `why` says which."""

    def __init__(self, text: str, why: Refusal = Refusal.OTHER) -> None:
        self.why = why
        super().__init__(text)


class ContainerGone(ActError):
    """The container to act on no longer exists."""


class DryRun(ActError):
    """Nothing was done because this is a dry run; the text says what would have been done."""


class LockHeld(AutoscalerError):
    """Another instance holds the lock on the state folder; `holder` says which, as far as it is known."""

    def __init__(self, text: str, *, holder: str) -> None:
        super().__init__(text)
        self.holder = holder


class TraceUnusable(AutoscalerError):
    """A file of tasks cannot be used; the text has a line for each thing that is wrong."""
