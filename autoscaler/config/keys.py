"""Which keys the file may have, read off the models once: for hints at unknown keys, for the schema and for the reference."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from autoscaler.config.models import Settings
from autoscaler.config.neighbours import Budget
from autoscaler.config.part import Part

_WRAPPERS = (Union, types.UnionType, tuple, dict)

ELSEWHERE = {
    "container_name": "the autoscaler names its workers itself",
    "hostname": "the autoscaler names its workers itself",
    "restart": "the autoscaler replaces workers that end",
    "ports": "several workers cannot share a port; metrics_port is the one that is read",
    "build": "build the image first and name it in image",
    "depends_on": "workers are started when there is work for them",
    "healthcheck": "start.timeout says by when a worker must be heard",
    "mem_limit": "write deploy.resources.limits.memory",
    "pids_limit": "write deploy.resources.limits.pids",
    "concurrency": "write slots",
    "tokens": "tokens never stand in the file: write token_file",
    "wake_tokens": "tokens never stand in the file: write wake_token_file",
}
"""Keys that people bring from Compose or Celery, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the file."""

    path: str
    """`pools.<pool>.replicas.max`, `brokers[].url`."""
    part: type[Part]
    name: str
    field: FieldInfo
    below: type[Part] | None
    """The mapping that the key holds, if it holds one."""


def is_internal(field: FieldInfo) -> bool:
    """True for what the loader fills in and no file may say."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and "internal" in extra


def part_in(annotation: Any) -> type[Part] | None:
    """The mapping inside `X | None`, `tuple[X, ...]`, `dict[str, X]` or X itself."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    if get_origin(annotation) in _WRAPPERS:
        return next((found for arg in get_args(annotation) if (found := part_in(arg))), None)
    return None


def defaults(part: type[Part]) -> dict[str, Any]:
    """The defaults of a mapping's keys, as they would be written in the file."""
    written = part.model_construct().model_dump(mode="json", warnings=False)
    return {name: value for name, value in written.items() if not part.model_fields[name].is_required()}


@cache
def all_keys() -> tuple[Key, ...]:
    """Every key a file may have, in the order of the file."""
    return tuple(_keys(Settings, ""))


def _keys(part: type[Part], prefix: str) -> Iterator[Key]:
    for name, field in part.model_fields.items():
        if is_internal(field):
            continue
        below = part_in(field.annotation)
        if below is Budget:
            below = None  # a mapping inside, and one line of text in the file
        yield Key(prefix + name, part, name, field, below)
        if below:
            holder = get_origin(field.annotation)
            inner = "[]" if holder is tuple else f".<{name[:-1]}>" if holder is dict else ""
            yield from _keys(below, f"{prefix}{name}{inner}.")


def pattern_of(path: tuple[str | int, ...]) -> str:
    """The key's path in the reference for a path in a file.

    >>> pattern_of(("pools", "browser", "replicas", "max"))
    'pools.<pool>.replicas.max'
    """
    steps = ["<pool>" if index == 1 and path[0] == "pools" else step for index, step in enumerate(path)]
    return "".join("[]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


def find(path: tuple[str | int, ...]) -> Key | None:
    """The key that a path in a file is about."""
    pattern = pattern_of(path)
    return next((key for key in all_keys() if key.path == pattern), None)


def hint(path: tuple[str | int, ...]) -> str:
    """What the writer of an unknown key may have meant; empty when nobody can guess."""
    name = str(path[-1])
    around = pattern_of(path).rpartition(".")[0]
    siblings = [key.name for key in all_keys() if key.path.rpartition(".")[0] == around]
    if name in ELSEWHERE:
        return f" - {ELSEWHERE[name]}"
    close = get_close_matches(name, siblings, n=1)
    if close:
        return f" - did you mean {close[0]!r}?"
    homes = [key.path for key in all_keys() if key.name == name]
    return f" - it belongs at {homes[0]}" if len(homes) == 1 else ""
