"""Moments: times of the wall clock, marked as such, so that all of them can follow a clock that is set.

What is remembered compares moments with now. When the wall clock is set, by a person, by NTP after the boot or after a machine was
asleep, the loop moves every remembered moment along, and each age stays what it was.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Annotated, Any, TypeVar

T = TypeVar("T")

SINCE_THE_EPOCH = "seconds since the epoch"
Moment = Annotated[float, SINCE_THE_EPOCH]
"""A time of the wall clock; a duration is a plain float."""


def shifted(value: T, seconds: float) -> T:
    """The same value with every moment in it so much later; found by the types of its fields.

    >>> from autoscaler.model import Drain, Memory, PoolMemory
    >>> later = shifted(Memory({"web": PoolMemory(last_up=10.0, boot_seconds=3.0, drains=(Drain("w1", 12.0, "idle"),))}), 3600.0)
    >>> later.pools["web"].last_up, later.pools["web"].boot_seconds, later.pools["web"].drains[0].since
    (3610.0, 3.0, 3612.0)
    """
    moved: T = _shift(value, type(value), seconds)
    return moved


def _shift(value: Any, kind: Any, seconds: float) -> Any:
    if isinstance(kind, type) and is_dataclass(kind):
        return replace(value, **{name: _shift(getattr(value, name), inner, seconds) for name, inner in _parts(kind)})
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return value + seconds if SINCE_THE_EPOCH in inner else value
    if origin in (typing.Union, types.UnionType):
        return value if value is None else _shift(value, next(arm for arm in inner if arm is not type(None)), seconds)
    if origin is tuple:
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(_shift(item, each, seconds) for item, each in zip(value, kinds, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: _shift(item, inner[1], seconds) for key, item in value.items()}
    return value


@cache
def _parts(kind: type) -> tuple[tuple[str, Any], ...]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return tuple((field.name, hints[field.name]) for field in fields(kind))
