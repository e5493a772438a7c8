"""`config.yaml` -> `Settings`, or every problem at once with its line. The steps, in order, are the body of `read`.

`load` is for those who want settings or an error; `read` also tells which files were looked at, for `changes`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from autoscaler.config import keys
from autoscaler.config.checks import check
from autoscaler.config.files import Files, Unreadable, include, read_capped
from autoscaler.config.interpolate import fill_tree
from autoscaler.config.models import Settings
from autoscaler.config.translate import translate
from autoscaler.config.units import quoted
from autoscaler.config.yaml_marks import MAX_BYTES, KeyPath, Node, dotted, parse
from autoscaler.errors import ConfigError, Problem

_LONG_ENOUGH_TO_BE_A_SECRET = 8
_MOST_PROBLEMS = 100
"""More than anybody mends in one go; a hostile file has no end of them."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one reading of the file gave."""

    settings: Settings | None
    """None when there are problems."""
    problems: tuple[Problem, ...]
    seen: Mapping[Path, str]
    """Every other file that was looked at, with its digest."""


def load(path: Path, env: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a file; raises ConfigError with all problems at once."""
    try:
        content = read_capped(path, MAX_BYTES)
    except Unreadable as error:
        raise ConfigError(str(path), (Problem("", f"cannot read the file: {error}"),)) from error
    loaded = read(content, path, env)
    if loaded.settings is None:
        raise ConfigError(str(path), loaded.problems)
    return loaded.settings


def read(content: bytes, path: Path, env: Mapping[str, str]) -> Loaded:
    """Settings from the content of a file that stands at `path`: what was hashed is what is parsed."""
    root, problems = parse(content)
    files = Files(path.parent)
    if root is None:
        return Loaded(None, problems, files.seen)
    filled = fill_tree(root, env)
    reading = _Reading(root, filled.written, [*problems, *filled.problems])
    reading.refuse_internal(filled.data)
    include(filled, files, env, reading.complain)
    for key in [key for key in filled.data if key.startswith("x-")]:
        del filled.data[key]  # as in Compose: a place for anchors
    settings = reading.validate({**filled.data, "hash": hashlib.sha256(content).hexdigest()[:12]})
    problems = reading.sorted_problems()
    return Loaded(None if problems else settings, problems, files.seen)


@dataclass(slots=True)
class _Reading:
    """The problems of one reading, gathered over its steps."""

    root: Node
    written: Mapping[str, tuple[str, str]]
    problems: list[Problem]

    def complain(self, path: KeyPath, message: str, see: KeyPath | None = None) -> None:
        """Note a problem at a key."""
        elsewhere = f" (see line {self.root.place(see)[0]})" if see else ""
        self.problems.append(Problem(dotted(path), message + elsewhere, *self.root.place(path)))

    def refuse_internal(self, data: dict[str, Any]) -> None:
        """What only the loader sets is an unknown key in the file."""
        for around, key in (((), "hash"), (("api",), "tokens"), (("api",), "wake_tokens")):
            part = data.get(around[0]) if around else data
            if isinstance(part, dict) and key in part:
                del part[key]
                path = (*around, key)
                self.problems.append(Problem(dotted(path), f"unknown key{keys.hint(path)}", *self.root.place(path, of_key=True)))

    def validate(self, data: dict[str, Any]) -> Settings | None:
        """Settings, with the problems of single keys and of keys together noted."""
        settings: Settings | None
        try:
            settings = Settings.model_validate(data)
        except ValidationError as error:
            errors = error.errors(include_url=False)
            self.problems += (translate(each, self.root) for each in errors[:_MOST_PROBLEMS])
            settings = _sound_rest(data, [each["loc"] for each in errors])
        for finding in check(settings) if settings else ():
            self.complain(finding.path, finding.message, finding.see)
        return settings

    def sorted_problems(self) -> tuple[Problem, ...]:
        """All problems in the order of the file, one per place, without what variables hold."""
        first: dict[tuple[int, int, str], Problem] = {}
        told: set[str] = set()
        for problem in self.problems:
            follows = problem.path in told and problem.message.startswith(("is missing", "is empty"))
            if not follows:
                first.setdefault((problem.line, problem.column, problem.path), problem)
                told.add(problem.path)
        in_order = sorted(first.values(), key=lambda each: (each.line, each.column))
        long = sorted({pair for pair in self.written.values() if len(pair[0]) >= _LONG_ENOUGH_TO_BE_A_SECRET}, reverse=True)
        return tuple(replace(each, message=self._as_written(each, long)) for each in in_order[:_MOST_PROBLEMS])

    def _as_written(self, problem: Problem, long: list[tuple[str, str]]) -> str:
        """The message with what stands in the file in place of what the variables hold."""
        text = problem.message
        here = self.written.get(problem.path)
        if here:
            text = text.replace(quoted(here[0]), quoted(here[1]))
        for value, written in long:
            text = text.replace(quoted(value), quoted(written)).replace(value, written)
        return text


def _sound_rest(data: dict[str, Any], broken: list[tuple[str | int, ...]]) -> Settings | None:
    """The settings without the pools and parts that have errors, so that the rest is checked in the same pass."""
    if any(loc[:1] in ((), ("fleet",), ("max_replicas",), ("instance",)) for loc in broken):
        return None
    rest = {**data, "pools": dict(data["pools"]) if isinstance(data.get("pools"), dict) else {}}
    for loc in broken:
        if loc[0] == "pools":
            rest["pools"].pop(loc[1] if len(loc) > 1 else None, None)
        else:
            rest.pop(str(loc[0]), None)
    known = {name: value for name, value in rest.items() if name in Settings.model_fields}
    try:
        return Settings.model_validate({"flower": {"url": "http://flower"}, **known})
    except ValidationError:
        return None
