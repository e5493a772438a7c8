"""Single values as people write them: `1h30m`, `512m`, `4`, `true`; turned into seconds, bytes, numbers and truth values.

A value comes in as the text that stands in the file (or as a Python value, from code). A bare number where a unit belongs
is refused: `300` has been read as seconds, minutes and milliseconds by three people. Only `true` and `false` are truth values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

_DURATION = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+(?:\.[0-9]+)?)s)?(?:([0-9]+)ms)?")
_FACTORS = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_LONGEST = 3650 * 86400.0
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([bkmgt])b?", re.IGNORECASE)
_POWERS = {"b": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_LARGEST = 1 << 50
_SPOKEN_MAX = 40


def quoted(value: Any) -> str:
    """The value as an error message shows it: short, and never a whole mapping or list."""
    if isinstance(value, (dict, list, tuple)):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= _SPOKEN_MAX else text[:_SPOKEN_MAX] + "...'"


def whole(value: Any) -> int:
    """A whole number, from text or code.

    >>> whole("12")
    12
    """
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,15}", value.strip()):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"{quoted(value)} is not a whole number: write one like 4")


def number(value: Any) -> float:
    """A number, from text or code.

    >>> number("0.5")
    0.5
    """
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?", value.strip()):
        return float(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"{quoted(value)} is not a number: write one like 2 or 0.5")


def flag(value: Any) -> bool:
    """A truth value: `true` or `false` and nothing else, so that `no`, `off` and `1` are never guessed at.

    >>> flag("true")
    True
    """
    if isinstance(value, bool):
        return value
    if value in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return str(value).lower() == "true"
    raise ValueError(f"{quoted(value)} is neither true nor false: write true or false")


def seconds(value: Any) -> float:
    """Seconds of a duration like `30s`, `5m`, `1h30m`, `250ms`.

    >>> seconds("1h30m")
    5400.0
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = f"{value:g}"
    text = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"0+(\.0+)?", text):
        return 0.0
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        raise ValueError(f"a duration needs a unit: write {text}s or {text}m")
    match = _DURATION.fullmatch(text)
    if not match or not any(match.groups()):
        raise ValueError(f"{quoted(value)} is not a duration: write it like 30s, 5m or 1h30m")
    total = sum(float(part) * factor for part, factor in zip(match.groups(), _FACTORS, strict=True) if part)
    if total > _LONGEST:
        raise ValueError(f"{quoted(value)} is longer than ten years: write a shorter duration")
    return total


def duration_text(total: float) -> str:
    """A duration as it would be written in the file.

    >>> duration_text(5400.0), duration_text(0.25), duration_text(2.5)
    ('1h30m', '250ms', '2.5s')
    """
    if 0 < total < 1:
        return f"{round(total * 1000)}ms"
    minutes, rest = divmod(round(total, 3), 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [f"{hours}h" * bool(hours), f"{minutes}m" * bool(minutes), f"{rest:g}s" * bool(rest)]
    return "".join(parts) or "0s"


def size(value: Any) -> int:
    """Bytes of a size like `512m` or `1.5g`; binary multiples, as Docker and Compose count.

    >>> size("512m")
    536870912
    """
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"a size needs a unit: {quoted(value)} is not one, write it like 512m or 2g")
    total = float(match[1]) * 1024.0 ** _POWERS[match[2].lower()]
    if total > _LARGEST:
        raise ValueError(f"{quoted(value)} is more than 1024t: write a smaller size")
    return int(total)


def size_text(total: int) -> str:
    """A size as it would be written in the file.

    >>> size_text(536870912), size_text(1000)
    ('512m', '1000b')
    """
    for unit in "tgmk":
        if total and total % 1024 ** _POWERS[unit] == 0:
            return f"{total // 1024 ** _POWERS[unit]}{unit}"
    return f"{total}b"


def within(low: str, high: str) -> AfterValidator:
    """Bounds of a duration, said in the operator's units."""

    def check(total: float) -> float:
        if not seconds(low) <= total <= seconds(high):
            raise ValueError(f"{duration_text(total)} is out of bounds: write something from {low} to {high}")
        return total

    return AfterValidator(check)


def _shown(kind: str, pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "format": kind, "pattern": pattern})


def _auto(parse: Callable[[Any], float]) -> Callable[[Any], float | None]:
    return lambda value: None if value is None or value == "auto" else parse(value)


_DURATION_PATTERN = r"(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d+)?s)?(\d+ms)?"

Whole = Annotated[int, BeforeValidator(whole)]
Number = Annotated[float, BeforeValidator(number)]
Flag = Annotated[bool, BeforeValidator(flag)]
Duration = Annotated[
    float,
    BeforeValidator(seconds),
    PlainSerializer(duration_text, when_used="json"),
    _shown("duration", rf"^(?=[0-9]){_DURATION_PATTERN}$"),
]
AutoDuration = Annotated[
    float | None,
    BeforeValidator(_auto(seconds)),
    PlainSerializer(lambda s: "auto" if s is None else duration_text(s), when_used="json"),
    _shown("duration or auto", rf"^(auto|(?=[0-9]){_DURATION_PATTERN})$"),
]
Size = Annotated[
    int, BeforeValidator(size), PlainSerializer(size_text, when_used="json"), _shown("size", r"^\d+(\.\d+)?[bkmgtBKMGT][bB]?$")
]
