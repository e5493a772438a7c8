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

from autoscaler.config.files import MAX_ENV_FILE, Unreadable, digest, read_capped
from autoscaler.config.load import read
from autoscaler.config.models import Settings
from autoscaler.config.yaml_marks import MAX_BYTES, KeyPath, dotted
from autoscaler.errors import ConfigError, Problem

NEEDS_RESTART: tuple[tuple[str, ...], ...] = (("instance",), ("state",), ("fleet", "type"), ("fleet", "host"), ("api", "listen"), ("log", "format"))
"""Keys that are built into the running daemon: their old value stays in force until it is started again."""

_HIDDEN = ("environment", "options")
_MISSING = object()


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
        settings, problems = self._read()
        if settings is None:
            raise ConfigError(str(path), problems)
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
            self._last = Change(old, news=problems != self._last.problems, problems=problems, needs_restart=self._last.needs_restart)
            return self._last
        settings, waiting = _hold(old, fresh)
        changed = settings != old
        news = changed or bool(self._last.problems) or waiting != self._last.needs_restart
        self._last = Change(settings, changed, news, (), waiting, diff(old, settings))
        return self._last

    def _is_unchanged(self) -> bool:
        return digest(self._path, MAX_BYTES) == self._digest and all(digest(path, MAX_ENV_FILE) == was for path, was in self._seen.items())

    def _read(self) -> tuple[Settings | None, tuple[Problem, ...]]:
        try:
            content = read_capped(self._path, MAX_BYTES)
        except Unreadable as error:
            self._digest, self._seen = f"unreadable: {error}", {}
            return None, (Problem("", f"cannot read the file: {error}; the last good configuration stays in force"),)
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
    return tuple(_compare((), old.model_dump(), new.model_dump(), old.model_dump(mode="json"), new.model_dump(mode="json")))


def _compare(path: KeyPath, old: Any, new: Any, old_text: Any, new_text: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys(), key=str):
            sides = (side.get(key, _MISSING) for side in (old, new, old_text, new_text))
            yield from _compare((*path, key), *sides)
    elif _are_lists_of_mappings(old, new):
        sides = (dict(enumerate(side)) for side in (old, new, old_text, new_text))
        yield from _compare(path, *sides)
    elif old is _MISSING or new is _MISSING:
        yield f"{dotted(path)}: {'added' if old is _MISSING else 'removed'}"
    elif old != new:
        yield f"{dotted(path)}: {_difference(path, old, new, old_text, new_text)}"


def _are_lists_of_mappings(old: Any, new: Any) -> bool:
    return isinstance(old, tuple) and isinstance(new, tuple) and any(isinstance(item, dict) for item in (*old, *new))


def _difference(path: KeyPath, old: Any, new: Any, old_text: Any, new_text: Any) -> str:
    secret = any(isinstance(item, SecretStr) for side in (old, new) for item in (side if isinstance(side, tuple) else (side,)))
    if secret or any(hidden in path for hidden in _HIDDEN):
        return "changed"
    return f"{_shown(old_text)} -> {_shown(new_text)}"


def _shown(value: Any) -> str:
    """A value as in the file, without the credentials of an address."""
    if isinstance(value, list):
        text = f"[{', '.join(map(str, value))}]"
    else:
        text = {None: "none", True: "true", False: "false"}.get(value, str(value)) if value is None or isinstance(value, bool) else str(value)
    return re.sub(r"://[^@/\s]*@", "://***@", text)
