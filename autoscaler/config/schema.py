"""The JSON schema of `config.yaml`, for editors: completion, help and a red line while typing.

It comes from the models, so it cannot drift from what is accepted. Two things are added: a value may be a `${VARIABLE}`
whatever its type, and `x-` keys at the top are free, as in Compose. What only the loader sets is left out.
"""

from __future__ import annotations

from typing import Any

from autoscaler.config.keys import all_keys, defaults
from autoscaler.config.models import Settings
from autoscaler.config.part import Part

_VARIABLE = {"type": "string", "pattern": r"\$"}
_ABOUT = ("description", "default", "examples")


def schema() -> dict[str, Any]:
    """The schema, JSON Schema draft 2020-12."""
    raw = Settings.model_json_schema()
    parts = raw.pop("$defs")
    root = _mapping(Settings, raw) | {"patternProperties": {"^x-": True}}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "config.yaml of the Celery worker autoscaler"}
    models = {key.below.__name__: key.below for key in all_keys() if key.below}
    return head | root | {"$defs": {name: _mapping(models[name], part) for name, part in parts.items() if name in models}}


def _mapping(part: type[Part], raw: dict[str, Any]) -> dict[str, Any]:
    written = defaults(part)
    properties = {}
    for name, key in raw["properties"].items():
        if "internal" in key:
            continue
        key.pop("default", None)
        if written.get(name) is not None and "$ref" not in key:
            key["default"] = written[name]
        properties[name] = _value(key)
    return {name: entry for name, entry in raw.items() if name != "title"} | {"properties": properties}


def _value(key: dict[str, Any]) -> dict[str, Any]:
    about = {name: " ".join(key[name].split()) if name == "description" else key[name] for name in _ABOUT if name in key}
    core = {name: entry for name, entry in key.items() if name not in (*_ABOUT, "title", "writeOnly")}
    branches = [_branch(branch) for branch in core.pop("anyOf", [core])]
    if not any(_takes_variable(branch) for branch in branches):
        branches.append(_VARIABLE)
    return about | (branches[0] if len(branches) == 1 else {"anyOf": branches})


def _branch(core: dict[str, Any]) -> dict[str, Any]:
    if core.get("type") == "array" and "items" in core:
        return core | {"items": _value(core["items"])}
    return {name: entry for name, entry in core.items() if name not in ("title", "writeOnly")}


def _takes_variable(branch: dict[str, Any]) -> bool:
    """True for mappings and lists, which hold values of their own, and for text without rules."""
    if "$ref" in branch or branch.get("type") in ("array", "object"):
        return True
    return branch.get("type") == "string" and "pattern" not in branch and "enum" not in branch
