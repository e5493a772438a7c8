"""What a fault is, and the list of all.

A fault is a generator: what stands before its `yield` is its beginning, what stands after it its end.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..world import World

Course = Iterator[None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault."""

    name: str
    area: str
    weight: float
    lasts: tuple[float, float]
    """Shortest and longest duration in seconds."""
    course: Callable[[World, random.Random], Course]


FAULTS: dict[str, Fault] = {}


def fault(name: str, area: str, *, weight: float = 1.0, lasts: tuple[float, float] = (4.0, 40.0)) -> Callable[..., Callable[..., Course]]:
    """Enter a fault into the catalogue."""

    def enter(course: Callable[[World, random.Random], Course]) -> Callable[[World, random.Random], Course]:
        FAULTS[name] = Fault(name, area, weight, lasts, course)
        return course

    return enter


def weights() -> dict[str, tuple[float, float, float]]:
    """What stories draw from."""
    return {fault.name: (fault.weight, *fault.lasts) for fault in FAULTS.values()}


MOMENT = (0.0, 0.0)
"""It happens at once and has no end."""


def meddled(place: Any, changes: dict[str, object]) -> Course:
    """These attributes are so while the fault lasts, and then as they are by default."""
    for key, value in changes.items():
        setattr(place, key, value)
    yield
    for key in changes:
        setattr(place, key, getattr(type(place)(), key))
