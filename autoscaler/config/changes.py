"""`ConfigFile`: asked at the beginning of every tick whether `config.yaml`, or a file that it names, says something new.

It reads the bytes and compares digests, so that it sees every way to change a file: in place, renamed over, a swapped symlink.
New and valid: new settings, whole. Anything else, a half-written file included: the old settings stay, with the problems.
There is no thread and no clock here.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from autoscaler.config.files import Unreadable, digest, read_capped
from autoscaler.config.load import read
from autoscaler.config.models import Settings
from autoscaler.config.yaml_marks import MAX_BYTES, KeyPath, dotted
from autoscaler.errors import ConfigError, Problem

NEEDS_RESTART = (("instance",), ("state",), ("fleet", "type"), ("fleet", "host"), ("api", "listen"), ("log", "format"))
"""Keys that are built into the running daemon: their old value stays in force until it is started again."""

_HIDDEN = ("environment", "options")


@dataclass(frozen=True, slots=True)
class Change:
    """What one look at the file gave."""

    settings: Settings
    """The settings in force after this look."""
    changed: bool = False
    """True when other settings are in force than after the last look."""
    news: bool = False
    """True when this look found something that the last one did not: the moment to log it, once."""
    problems: tuple[str, ...] = ()
    """Why the newest content is not in force, `file:line:col: path: message`; told on every look until it is mended."""
    needs_restart: tuple[str, ...] = ()
    """Keys whose new value waits for a restart."""
    diff: tuple[str, ...] = ()
    """What this look changed, `pools.browser.replicas.max: 10 -> 12`, with secrets masked."""


class ConfigFile:
    """The configuration of a running daemon."""

    def __init__(self, path: Path, env: Mapping[str, str] = os.environ) -> None:
        """Load for the first time; raises ConfigError, because a daemon does not start on a guess."""
        self._path = path
        self._env = env
        self._digest = ""
        self._seen: Mapping[Path, str] = {}
        self._stays = ""
        settings, problems = self._read()
        if settings is None:
            raise ConfigError(str(path), problems)
        self._stays = "; the last good configuration stays in force"
        self._last = Change(settings)

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._last.settings

    def refresh(self) -> Change:
        """Look again; cheap when nothing changed."""
        if self._is_unchanged():
            self._last = Change(self.settings, problems=self._last.problems, needs_restart=self._last.needs_restart)
            return self._last
        old = self.settings
        fresh, found = self._read()
        problems = tuple(problem.located(str(self._path)) for problem in found)
        if fresh is None:
            self._last = Change(old, news=True, problems=problems, needs_restart=self._last.needs_restart)
            return self._last
        settings, waiting = _hold(old, fresh)
        changed = settings != old
        news = changed or bool(self._last.problems) or waiting != self._last.needs_restart
        self._last = Change(settings, changed, news, (), waiting, diff(old, settings))
        return self._last

    def _is_unchanged(self) -> bool:
        return digest(self._path, MAX_BYTES) == self._digest and all(digest(path) == was for path, was in self._seen.items())

    def _read(self) -> tuple[Settings | None, tuple[Problem, ...]]:
        try:
            content = read_capped(self._path, MAX_BYTES)
        except Unreadable as error:
            self._digest, self._seen = f"unreadable: {error}", {}
            return None, (Problem("", f"cannot read the file: {error}{self._stays}"),)
        loaded = read(content, self._path, self._env)
        self._digest, self._seen = hashlib.sha256(content).hexdigest(), loaded.seen
        return loaded.settings, loaded.problems


def _hold(old: Settings, new: Settings) -> tuple[Settings, tuple[str, ...]]:
    """The new settings with the old values of the keys that cannot change while running, and the names of those keys."""
    waiting = []
    for path in NEEDS_RESTART:
        before, after = _get(old, path), _get(new, path)
        if before != after:
            waiting.append(dotted(path))
            new = _with(new, path, before)
    return new, tuple(waiting)


def _get(part: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        part = getattr(part, name)
    return part


def _with(settings: Settings, path: tuple[str, ...], value: Any) -> Settings:
    if len(path) == 1:
        return settings.model_copy(update={path[0]: value})
    return settings.model_copy(update={path[0]: getattr(settings, path[0]).model_copy(update={path[1]: value})})


def diff(old: Settings, new: Settings) -> tuple[str, ...]:
    """What differs, one line per key, as it would be written in the file; what may be secret is only said to have changed."""
    before, after = (_Value(side.model_dump(), side.model_dump(mode="json")) for side in (old, new))
    return tuple(_compare((), before, after))


@dataclass(frozen=True, slots=True)
class _Value:
    """A value of the settings, and as it would be written."""

    value: Any
    text: Any

    def entries(self) -> dict[str | int, _Value]:
        """What a mapping, or a list of mappings, holds."""
        if isinstance(self.text, dict):
            return {key: _Value(self.value[key], text) for key, text in self.text.items()}
        if isinstance(self.text, list) and any(isinstance(item, dict) for item in self.text):
            return {index: _Value(self.value[index], text) for index, text in enumerate(self.text)}
        return {}

    def is_secret(self) -> bool:
        items = self.value if isinstance(self.value, tuple) else (self.value,)
        return any(isinstance(item, SecretStr) for item in items)

    def __str__(self) -> str:
        if self.text is None or isinstance(self.text, bool):
            return {None: "none", True: "true", False: "false"}[self.text]
        text = f"[{', '.join(map(str, self.text))}]" if isinstance(self.text, list) else str(self.text)
        return re.sub(r"://[^@/\s]*@", "://***@", text)


def _compare(path: KeyPath, old: _Value, new: _Value) -> Iterator[str]:
    if old.value == new.value:
        return
    before, after = old.entries(), new.entries()
    if not before and not after:
        masked = old.is_secret() or new.is_secret() or any(hidden in path for hidden in _HIDDEN)
        yield f"{dotted(path)}: {'changed' if masked else f'{old} -> {new}'}"
    for key in (*before, *(key for key in after if key not in before)):
        if key in before and key in after:
            yield from _compare((*path, key), before[key], after[key])
        else:
            yield f"{dotted((*path, key))}: {'added' if key in after else 'removed'}"
