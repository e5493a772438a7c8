"""Known, stale or unknown: what a source gave, as a type. There is no default value for what could not be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from autoscaler.model.lean import lean

T = TypeVar("T")


@lean
@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """A value that a source gave, fresh enough to act on."""

    value: T
    at: float
    source: str


@dataclass(frozen=True, slots=True)
class Stale(Generic[T]):
    """The last value a source gave, too old or too doubtful to act on; shown, never decided on."""

    value: T
    at: float
    source: str
    why: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No source gives this value, and why."""

    why: str
    source: str = ""


Reading = Known[T] | Stale[T] | Unknown
"""Known, stale or unknown: `match` on it, there is no default value."""


def known(reading: Reading[T]) -> T | None:
    """The value of a reading that may be acted on, else None."""
    return reading.value if type(reading) is Known else None
