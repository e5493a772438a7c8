"""What pydantic found wrong, said in an operator's English: what is wrong at this key and what to write instead."""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from autoscaler.config import keys
from autoscaler.config.units import quoted
from autoscaler.config.yaml_marks import KeyPath, Node, dotted
from autoscaler.errors import Problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_NEEDS = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be greater than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "model_type": "needs a mapping",
    "dict_type": "needs a mapping",
    "tuple_type": "needs a list",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_too_long": "must not be longer than {max_length} characters",
    "string_type": "needs text, and only text",
}

_PLAIN = re.compile(r"(?!.*(?:: | #))(?:\$\{.*\}|[0-9]+[a-z]*|[A-Za-z./]|[A-Za-z./][\w ./@=:-]*[\w./=-])")
"""Text that needs no quotes, for YAML and for the eye."""


def translate(error: ErrorDetails, root: Node) -> Problem:
    """One of pydantic's findings as a problem with its place in the file."""
    path = tuple(step for step in error["loc"] if step != "[key]")
    of_key = error["type"] == "extra_forbidden" or len(path) != len(error["loc"])
    return Problem(dotted(path), _message(error, path, root), *root.place(path, of_key=of_key))


def _message(error: ErrorDetails, path: KeyPath, root: Node) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            message = f"unknown key{keys.hint(path)}"
        case "missing":
            message = f"is {'empty' if root.find(path) else 'missing'}: add {_sample(path)}"
        case "value_error":
            message = str(context["error"])
        case "literal_error":
            message = _one_of(str(error["input"]), str(context["expected"]))
        case kind if kind in _NEEDS:
            message = f"{_NEEDS[kind].format(**context)}: write {_sample(path)}"
        case _:
            message = f"{error['msg'][:1].lower()}{error['msg'][1:]}"
    return message


def _one_of(given: str, expected: str) -> str:
    choices = [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]
    close = get_close_matches(given, choices, n=1)
    guess = f" - did you mean {close[0]!r}?" if close else ""
    return f"{quoted(given)} is not possible here: write {' or '.join(choices)}{guess}"


def _sample(path: KeyPath) -> str:
    """What may stand at this key, as it would be written in the file."""
    key = keys.find(path)
    if key:
        return example(key)
    around = keys.find(path[:-1])
    sample = _value(around) if around else None
    if isinstance(sample, list):
        return flow(sample[0])
    return flow(sample) if sample else "its keys below it"


def example(key: keys.Key) -> str:
    """A key with an example value, on one line of YAML.

    >>> example(keys.find(("pools", "browser", "queues")))
    'queues: [default]'
    """
    return f"{key.name}: {flow(_value(key))}"


def _value(key: keys.Key) -> object:
    if key.field.examples:
        return key.field.examples[0]
    assert key.below is not None, f"{key.path} needs an example"
    inside = {k.name: _value(k) for k in _shown(key)}
    around = key.path.count(".") == 0 and key.name
    return [inside] if around == "brokers" or key.name == "schedules" else {"default": inside} if around == "pools" else inside


def _shown(key: keys.Key) -> list[keys.Key]:
    """The keys to show inside a mapping: what it needs, or else its first one."""
    assert key.below is not None
    inside = [k for k in keys.all_keys() if k.part is key.below and k.path.rpartition(".")[0].startswith(key.path)]
    needed = [k for k in inside if k.field.is_required()]
    extra = {"worker": ("image",), "brokers": ("url",), "schedules": ("min",)}.get(key.name, ())
    return needed + [k for k in inside if k.name in extra] or inside[:1]


def flow(value: object) -> str:
    """A value in YAML's one-line form, with quotes only where they are needed."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(entry) for entry in value) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    return value if _PLAIN.fullmatch(value) else json.dumps(value)
