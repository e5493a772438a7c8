"""The files that `config.yaml` names: secrets (`*_file`) and the workers' `env_file`. Read while loading, so that nothing else reads them.

Every look at a file is remembered with its digest: a rotated secret, or a missing one that appears, is a change of the configuration.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from autoscaler.config.interpolate import Filled
from autoscaler.config.yaml_marks import KeyPath

MAX_BYTES = 1 << 18

Complain = Callable[[KeyPath, str], None]


class Unreadable(OSError):
    """A file cannot be used; the text says why, and never what is in it."""


def read_capped(path: Path, cap: int) -> bytes:
    """The content of a regular file; a pipe or a device is refused instead of waited for."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise Unreadable(getattr(error, "strerror", None) or "not a path") from error
    try:
        _require_regular(os.fstat(fd).st_mode)
        with open(fd, "rb", closefd=False) as file:
            content = file.read(cap + 1)
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    finally:
        os.close(fd)
    if len(content) > cap:
        raise Unreadable(f"larger than {cap // 1024} KiB")
    return content


def _require_regular(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise Unreadable("it is a folder: an engine that is to mount a file which the host does not have makes a folder of that name")
    if not stat.S_ISREG(mode):
        raise Unreadable("not a regular file")


def digest(path: Path, cap: int = MAX_BYTES) -> str:
    """What tells one state of a file from another, its absence included."""
    try:
        return hashlib.sha256(read_capped(path, cap)).hexdigest()
    except Unreadable as error:
        return f"unreadable: {error}"


class Files:
    """Reads files beside the configuration and remembers what they held."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.seen: dict[Path, str] = {}
        """Digest of every file that was looked at."""

    def text(self, name: str) -> str:
        """The text of one file, by its path relative to the configuration; raises Unreadable."""
        path = self._folder / name
        try:
            content = read_capped(path, MAX_BYTES)
        except Unreadable as error:
            self.seen[path] = f"unreadable: {error}"
            raise
        self.seen[path] = hashlib.sha256(content).hexdigest()
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise Unreadable("not UTF-8 text") from error
        if "\x00" in text:
            raise Unreadable("not text: it contains a NUL byte")
        return text


def include(filled: Filled, files: Files, env: Mapping[str, str], complain: Complain) -> None:
    """Put the content of every named file where the models expect it, and complain about those that cannot be used."""
    data = filled.data
    flower = data.get("flower")
    if isinstance(flower, dict):
        for key in ("password", "token"):
            _include_secret(flower, key, ("flower",), files, complain)
    brokers = data.get("brokers")
    for index, broker in enumerate(brokers if isinstance(brokers, list) else ()):
        if isinstance(broker, dict):
            _include_broker(broker, ("brokers", index), files, complain)
            if ("brokers", index, "url") in filled.empty:
                broker.setdefault("url", "")  # an address that a variable left empty turns the broker off
    api = data.get("api")
    for key, tokens in (("token_file", "tokens"), ("wake_token_file", "wake_tokens")):
        if isinstance(api, dict) and key in api:
            api[tokens] = list(_tokens(api[key], key, files, complain))
    pools = data.get("pools")
    for name, pool in (pools if isinstance(pools, dict) else {}).items():
        if isinstance(pool, dict) and isinstance(pool.get("worker"), dict):
            _include_environment(pool["worker"], ("pools", name, "worker"), files, env, complain)


def _include_broker(broker: dict[str, Any], at: KeyPath, files: Files, complain: Complain) -> None:
    if str(broker.get("enabled")).lower() != "false":
        _include_secret(broker, "url", at, files, complain)
    if "url_file" in broker:
        broker.setdefault("url", "")


def _include_secret(part: dict[str, Any], key: str, at: KeyPath, files: Files, complain: Complain) -> None:
    name = part.get(f"{key}_file")
    if not isinstance(name, str):
        return
    path = (*at, f"{key}_file")
    if part.get(key):
        complain(path, f"{key} and {key}_file are both given: keep one of them")
        return
    try:
        secret = files.text(name).removesuffix("\n").removesuffix("\r")
    except Unreadable as error:
        complain(path, f"cannot read {name!r}: {error}")
        return
    if not secret or "\n" in secret:
        complain(path, f"{name!r} {'holds more than one line' if secret else 'is empty'}: it must hold the {key} and nothing else")
        return
    part[key] = secret


def _tokens(names: Any, key: str, files: Files, complain: Complain) -> Iterator[dict[str, str]]:
    """Every line of every file, with the name of its file."""
    several = isinstance(names, list)
    for index, name in enumerate(names if several else [names]):
        path: KeyPath = ("api", key, index) if several else ("api", key)
        if not isinstance(name, str):
            continue
        try:
            lines = [line.strip() for line in files.text(name).splitlines() if line.strip()]
        except Unreadable as error:
            complain(path, f"cannot read {name!r}: {error}")
            continue
        if not lines:
            complain(path, f"{name!r} is empty: write one token per line")
        yield from ({"name": Path(name).name, "secret": line} for line in lines)


def _include_environment(worker: dict[str, Any], at: KeyPath, files: Files, env: Mapping[str, str], complain: Complain) -> None:
    """Fold env files and handed-through variables into `environment`."""
    names = worker.get("env_file")
    folded: dict[str, Any] = {}
    for index, name in enumerate(names if isinstance(names, list) else [names]):
        if isinstance(name, str):
            folded |= _env_file(name, (*at, "env_file", index) if isinstance(names, list) else (*at, "env_file"), files, complain)
    own = worker.get("environment", {})
    if isinstance(own, list) and all(isinstance(line, str) for line in own):
        own = {key: value if equals else None for key, equals, value in (line.partition("=") for line in own)}
    if not isinstance(own, dict):
        return  # the models say what is wrong with it
    folded |= {key: env.get(key) if value is None else value for key, value in own.items()}
    worker["environment"] = {key: value for key, value in folded.items() if value is not None}


def _env_file(name: str, path: KeyPath, files: Files, complain: Complain) -> dict[str, str]:
    try:
        lines = files.text(name).splitlines()
    except Unreadable as error:
        complain(path, f"cannot read {name!r}: {error}")
        return {}
    found = {}
    for number, line in enumerate(lines, 1):
        key, equals, value = line.strip().removeprefix("export ").partition("=")
        if not key or key.startswith("#"):
            continue
        if not equals or not key.strip().isprintable() or " " in key.strip():
            complain(path, f"{name!r} line {number} is not KEY=value")
            continue
        found[key.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
