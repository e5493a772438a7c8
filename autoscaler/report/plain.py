"""The nouns as plain JSON values, and Memory and orders back again.

The journal, the API and the command line hand frozen dataclasses in and get dicts, lists, numbers and text out. Readings
carry a `kind` (known, stale, unknown), so that no reader can take "nobody can say" for zero.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

from autoscaler.model import Known, Memory, Order, Stale, Unknown

_KINDS: dict[type, str] = {Known: "known", Stale: "stale", Unknown: "unknown"}
_AS_THEY_ARE = frozenset((str, int, bool, type(None)))
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_MEMORY = TypeAdapter(Memory)
_ORDERS = TypeAdapter(dict[str, tuple[Order, ...]])
T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """The same value in JSON's own types; a number that JSON does not have (NaN, infinity) becomes null.

    >>> to_plain(Unknown("no broker is read directly"))
    {'kind': 'unknown', 'why': 'no broker is read directly', 'source': ''}
    """
    of: Any = type(value)
    if of in _AS_THEY_ARE:
        return value
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    return _number_or_fields(value, of)


def _number_or_fields(value: Any, of: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (str, int)):
        return value
    plain: dict[str, Any] = {"kind": _KINDS[of]} if of in _KINDS else {}
    for name in _names(of):
        plain[name] = to_plain(getattr(value, name))
    return plain


def to_json(value: Any) -> str:
    """One line of JSON, compact, keys in the order of the dataclass."""
    return _ENCODER.encode(to_plain(value))


def memory_from_json(text: str) -> Memory | None:
    """Memory as it was written, or None where the text is not wholly and exactly that.

    Half a memory is worse than none: it could let a drain be forgotten or a window be cut short. Unknown keys are ignored,
    so that an older version may read what a newer one wrote.
    """
    return _whole(_MEMORY, text)


def orders_from_json(text: str) -> dict[str, tuple[Order, ...]] | None:
    """Standing orders as they were written, or None where the text is not wholly that."""
    return _whole(_ORDERS, text)


def _whole(kind: TypeAdapter[T], text: str) -> T | None:
    try:
        json.loads(text, parse_constant=_refuse, parse_float=_finite)
        return kind.validate_json(text, strict=True)
    except (ValueError, RecursionError):
        return None


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is too large")
    return number
