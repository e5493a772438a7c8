"""Variables in values, as Compose writes them: `${V}` `${V:-default}` `${V-default}` `${V:?message}` `${V?message}` `${V:+other}`
`$V` `$$`.

Only the text of a scalar is filled in, after the file was parsed, so that a variable can never add keys or lines to it.
An unset variable without a default is a problem, not an empty value: a forgotten password must not be tried as an empty one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from autoscaler.config.yaml_marks import KeyPath, Node, dotted
from autoscaler.errors import Problem

MAX_LENGTH = 1 << 16
MAX_NESTING = 10
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")


class Unfilled(ValueError):
    """A value whose variables cannot be filled in; the text says what to write."""


def fill(text: str, env: Mapping[str, str]) -> str:
    """The text with its variables filled in.

    >>> fill("redis://${HOST:-localhost}:${PORT}/0", {"PORT": "6379"})
    'redis://localhost:6379/0'
    """
    return "".join(_pieces(text, env, 0))


def _pieces(text: str, env: Mapping[str, str], depth: int) -> Iterator[str]:
    at, length = 0, 0
    while (dollar := text.find("$", at)) >= 0:
        yield text[at:dollar]
        piece, at = _variable(text, dollar + 1, env, depth)
        length += len(piece)
        if length > MAX_LENGTH:
            raise Unfilled(f"longer than {MAX_LENGTH} characters once its variables are filled in")
        yield piece
    yield text[at:]


def _variable(text: str, at: int, env: Mapping[str, str], depth: int) -> tuple[str, int]:
    """What stands for the variable that begins after the dollar sign, and where the text goes on."""
    if text[at : at + 1] == "$":
        return "$", at + 1
    braced = text[at : at + 1] == "{"
    name = _NAME.match(text, at + braced)
    if not name:
        raise Unfilled("a single $ stands alone: write $$ for a dollar sign, or ${NAME} for a variable")
    if not braced:
        return _value(name[0], env, "write $$ for a dollar sign"), name.end()
    end = _closing_brace(text, at + 1)
    operator = _OPERATOR.match(text, name.end(), end)
    if not operator and name.end() != end:
        raise Unfilled(f"after ${{{name[0]} comes something unknown: write ${{{name[0]}}} or ${{{name[0]}:-default}}")
    if not operator:
        return _value(name[0], env), end + 1
    if depth >= MAX_NESTING:
        raise Unfilled(f"variables are nested deeper than {MAX_NESTING} levels")
    return _with_operator(name[0], operator[0], text[operator.end() : end], env, depth), end + 1


def _with_operator(name: str, operator: str, word: str, env: Mapping[str, str], depth: int) -> str:
    value = env.get(name)
    given = bool(value) if operator.startswith(":") else value is not None
    wanted = operator[-1]
    if wanted == "+":
        return "".join(_pieces(word, env, depth + 1)) if given else ""
    if given:
        return value or ""
    if wanted == "-":
        return "".join(_pieces(word, env, depth + 1))
    raise Unfilled(f"variable {name} is not set: {''.join(_pieces(word, env, depth + 1)) or 'set it in the environment'}")


def _value(name: str, env: Mapping[str, str], hint: str = "") -> str:
    if name not in env:
        otherwise = f"; {hint}" if hint else ""
        raise Unfilled(f"variable {name} is not set: write ${{{name}:-}} if empty is meant{otherwise}")
    return env[name]


def _closing_brace(text: str, at: int) -> int:
    level = 1
    for brace in re.compile(r"\$\{|\}").finditer(text, at):
        level += 1 if brace[0] == "${" else -1
        if level == 0:
            return brace.start()
    raise Unfilled("a ${ is not closed: add }")


@dataclass(slots=True)
class Filled:
    """The values of a tree as plain data."""

    data: Any = None
    problems: list[Problem] = field(default_factory=list)
    written: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Dotted path -> (value, what is written in the file); messages show the latter, because a variable may be a secret."""
    empty: set[KeyPath] = field(default_factory=set)
    """Values that became empty when their variables were filled in."""


def fill_tree(root: Node, env: Mapping[str, str]) -> Filled:
    """The whole tree as dicts, lists and text; a key with nothing behind it is as if it were not there."""
    filled = Filled()
    filled.data = _plain(root, (), env, filled)
    return filled


def _plain(node: Node, path: KeyPath, env: Mapping[str, str], filled: Filled) -> Any:
    if isinstance(node.value, dict):
        entries = ((key, _plain(child, (*path, key), env, filled)) for key, child in node.value.items())
        # In `environment` a key without a value means something: it is handed through.
        return {key: value for key, value in entries if value is not None or path[-1:] == ("environment",)}
    if isinstance(node.value, list):
        return [_plain(child, (*path, index), env, filled) for index, child in enumerate(node.value)]
    if node.value is None or "$" not in node.value:
        return node.value
    try:
        value = fill(node.value, env)
    except Unfilled as error:
        filled.problems.append(Problem(dotted(path), str(error), node.line, node.column))
        return None
    if value != node.value:
        filled.written[dotted(path)] = (value, node.value)
    if value or path[-2:-1] == ("environment",):
        return value
    filled.empty.add(path)
    return None
