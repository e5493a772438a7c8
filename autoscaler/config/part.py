"""What every mapping in the file has in common, and the lists and maps of text that Compose allows in two spellings."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from autoscaler.config.units import quoted

_SCALAR = {"type": ["string", "number", "boolean", "null"]}
_TEXTS = {"type": "array", "items": {"type": "string"}}


class Part(BaseModel):
    """A mapping in the file: unknown keys are refused, values never change after loading."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", value):
        raise ValueError(f"{quoted(value)} cannot be a name: use a-z, 0-9, - and _, at most 40 characters, starting with a letter or digit")
    return value


def _text(key: str, value: Any) -> str:
    if value is None or isinstance(value, (dict, list, tuple)):
        raise ValueError(f"{key} needs text, not {'nothing' if value is None else quoted(value)}")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_map(value: Any) -> Any:
    """Compose writes environment and labels as a mapping or as `KEY=value` lines; both become a mapping of text."""
    if isinstance(value, (list, tuple)):
        value = dict(_text("every line", line).partition("=")[::2] for line in value)
    if not isinstance(value, dict):
        raise ValueError(f"{quoted(value)} is not a mapping: write KEY: value lines below the key")  # noqa: TRY004 - pydantic's contract
    return {str(key): _text(str(key), entry) for key, entry in value.items()}


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _words(value: Any) -> Any:
    """A command is one line, or a list of words."""
    if isinstance(value, (list, tuple)):
        return tuple(_text("every word", word) for word in value)
    return _text("a command", value)


Name = Annotated[str, AfterValidator(_name)]
TextMap = Annotated[
    dict[str, str], BeforeValidator(_as_map), WithJsonSchema({"anyOf": [{"type": "object", "additionalProperties": _SCALAR}, _TEXTS]})
]
TextList = Annotated[tuple[str, ...], BeforeValidator(_as_list), WithJsonSchema({"anyOf": [_TEXTS, {"type": "string"}]})]
Command = Annotated[
    str | tuple[str, ...], BeforeValidator(_words), WithJsonSchema({"anyOf": [{"type": "string"}, {**_TEXTS, "items": _SCALAR}]})
]
