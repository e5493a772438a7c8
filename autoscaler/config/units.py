"""Durations, sizes and shares as people write them: `1h30m`, `512m`, `100%`.

A bare number where a unit belongs is refused: `300` has been read as seconds, minutes and milliseconds by three people.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_FACTORS = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([bkmgt])b?", re.IGNORECASE)
_POWERS = {"b": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def seconds(value: Any) -> float:
    """Seconds of a duration like `30s`, `5m`, `1h30m`, `250ms`.

    >>> seconds("1h30m")
    5400.0
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("a duration is text like 30s, 5m or 1h30m")
    if not isinstance(value, str):
        if value == 0:
            return 0.0
        raise ValueError(f"a duration needs a unit: write {value}s or {value}m")
    match = _DURATION.fullmatch(value.strip())
    if not match or not any(match.groups()):
        if re.fullmatch(r"\d+(\.\d+)?", value.strip()):
            return seconds(float(value) if "." in value else int(value))
        raise ValueError(f"{value!r} is not a duration: write it like 30s, 5m or 1h30m")
    return sum(float(part) * factor for part, factor in zip(match.groups(), _FACTORS, strict=True) if part)


def size(value: Any) -> int:
    """Bytes of a size like `512m` or `1.5g`; binary multiples, as Docker and Compose count.

    >>> size("512m")
    536870912
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError("a size is text like 512m or 2g")
    match = _SIZE.fullmatch(str(value).strip())
    if not match:
        raise ValueError(f"a size needs a unit: {value!r} is not one, write it like 512m or 2g")
    return int(float(match[1]) * 1024 ** _POWERS[match[2].lower()])


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    PlainSerializer(lambda s: f"{s:g}s", when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d+)?s)?(\d+ms)?$", "examples": ["30s", "5m", "1h30m"]}),
]
Size = Annotated[
    int,
    BeforeValidator(size),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?[bkmgtBKMGT]b?$", "examples": ["512m", "2g"]}),
]
