"""What can be read from a worker's command and environment: how many slots, which queues, which name, and whether a shell stands in front.

A worker started by a script of its own says nothing here, and then nothing is held against it.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from posixpath import basename

from autoscaler.config.worker import WorkerSpec

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_SHELL_WORDS = frozenset({"&&", "||", ";", "|", "&", ">", ">>", "<", "2>&1"})
_SHELL_IN_FRONT = (
    "a shell stands in front of the worker and takes the stop signal, so the running task is lost: "
    "write the command without sh -c, or let the script end with exec celery ..."
)
_EXEC = re.compile(r"(\w+=\S*\s+)*exec\s")


@dataclass(frozen=True, slots=True)
class Said:
    """A fact about the worker and where it was read."""

    text: str
    where: str


def words(worker: WorkerSpec) -> list[str]:
    """The program and its arguments, split as Compose does; raises ValueError where a quote is not closed."""
    return [*_split(worker.entrypoint), *_split(worker.command)]


def _split(command: str | tuple[str, ...] | None) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else list(command or ())


def shell_script(argv: list[str]) -> str | None:
    """The script of a `sh -c '...'` that starts the worker."""
    shell = next((index for index, word in enumerate(argv) if basename(word) in _SHELLS), None)
    for index in range(len(argv) if shell is None else shell + 1, len(argv) - 1):
        if re.fullmatch(r"-[a-z]*c", argv[index]):
            return argv[index + 1]
        if not argv[index].startswith("-"):
            break
    return None


def trouble_with_shell(argv: list[str]) -> str | None:
    """Why a stop signal would not reach the worker, None when it does."""
    script = shell_script(argv)
    if script is not None:
        last = [part.strip() for part in re.split(r"&&|\|\||[;|&\n]", script) if part.strip()][-1:]
        if not last or not _EXEC.match(last[0]):
            return _SHELL_IN_FRONT
        return None
    symbol = next((word for word in argv if word in _SHELL_WORDS), None)
    if symbol:
        return f"{symbol!r} needs a shell, and the command is run without one: use a script that ends with exec celery ..."
    return None


def slots(worker: WorkerSpec) -> Said | None:
    """How many tasks the worker runs at once, where that can be read."""
    options = celery_options(worker) or []
    autoscale = _option(options, "--autoscale")
    if autoscale:
        return _largest(autoscale, f"its command says --autoscale {autoscale}")
    if _option(options, "-P", "--pool") == "solo":
        return Said("1", "its command says --pool solo")
    count = _option(options, "-c", "--concurrency")
    if count:
        return _largest(count, f"its command says -c {count}")
    for variable in ("CELERY_AUTOSCALE", "CELERY_CONCURRENCY"):
        value = worker.environment.get(variable)
        if value:
            return _largest(value, f"its environment says {variable}={value}")
    return None


def _largest(text: str, where: str) -> Said | None:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 2 or not all(re.fullmatch(r"[0-9]{1,6}", part) for part in parts):
        return None
    return Said(str(max(int(part) for part in parts)), where)


def queues(worker: WorkerSpec) -> Said | None:
    """The queues the worker consumes, comma-separated, where that can be read."""
    option = _option(celery_options(worker) or [], "-Q", "--queues")
    if option:
        return Said(option, f"its command says -Q {option}")
    variable = worker.environment.get("CELERY_QUEUES")
    return Said(variable, f"its environment says CELERY_QUEUES={variable}") if variable else None


def node_name(worker: WorkerSpec) -> str | None:
    """The name that the command gives to the worker, if it gives one."""
    return _option(celery_options(worker) or [], "-n", "--hostname")


def celery_options(worker: WorkerSpec) -> list[str] | None:
    """The words after `celery ... worker`, also inside `sh -c`; None when something else is run."""
    try:
        argv = words(worker)
        script = shell_script(argv)
        argv = shlex.split(script) if script is not None else argv
    except ValueError:
        return None
    if "worker" not in argv or not any("celery" in word for word in argv[: argv.index("worker")]):
        return None
    return argv[argv.index("worker") + 1 :]


def _option(options: list[str], *names: str) -> str | None:
    """The value of an option, however it is spelled: `-c 4`, `-c4`, `--concurrency=4`, `--concurrency 4`."""
    found = None
    for index, word in enumerate(options):
        for name in names:
            if word == name and index + 1 < len(options):
                found = options[index + 1]
            elif name.startswith("--") and word.startswith(f"{name}="):
                found = word.partition("=")[2]
            elif not name.startswith("--") and word.startswith(name) and len(word) > len(name):
                found = word[len(name) :].removeprefix("=")
    return found
