"""Keys that this version accepts and does not act on yet, in words: a setting that does nothing must say so.

The reference says the same at each key; both read `NOT_YET`. At present every key has its effect.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.config.part import Part

NOT_YET: Mapping[str, str] = {}
"""Dotted path of a key -> what happens instead."""


def not_in_force(settings: Part, not_yet: Mapping[str, str] = NOT_YET) -> tuple[str, ...]:
    """One sentence for every key that stands in the file without having its effect."""
    return tuple(f"{path}: not in force yet: {instead}" for path, instead in not_yet.items() if _is_given(settings, path.split(".")))


def _is_given(part: object, path: list[str]) -> bool:
    name, *rest = path
    if not isinstance(part, Part) or name not in part.model_fields_set:
        return False
    return _is_given(getattr(part, name), rest) if rest else True
