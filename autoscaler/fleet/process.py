"""Workers as local processes: the fleet for a machine without an engine, and for the demo.

The loop's hands order here; `process_keeper.py` runs each worker in a session of its own, so that neither the end of the daemon
nor Ctrl-C in its terminal reaches a worker; `process_state.py` is the folder per replica through which the next daemon adopts them.
Of the worker's spec, what belongs to containers (image, networks, volumes, limits) has no meaning here and is not looked at.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from autoscaler.config.worker import WorkerSpec
from autoscaler.errors import ActError, ContainerGone, FleetUnreachable, StartRefused
from autoscaler.fleet import process_keeper
from autoscaler.fleet.docker_spec import NAMING, words
from autoscaler.fleet.process_state import Replica, Ticket, sweep
from autoscaler.model import Container, ContainerState, Exit, Host

START_SECONDS = 20.0
"""How long the keeper may take to say that the worker runs; it takes 0.02 s on an idle machine."""
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")


class ProcessFleet:
    """Keeps workers as processes of this machine and this user; satisfies the fleet's contract."""

    def __init__(self, state: Path, instance: str) -> None:
        if not sys.platform.startswith("linux"):
            raise FleetUnreachable(f"fleet.type: process needs Linux (this is {sys.platform}): use docker")
        self._home = state.absolute() / "processes" / instance
        self._ports = threading.Lock()
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            sweep(self._home)
        except OSError as error:
            raise FleetUnreachable(f"the state folder {self._home} cannot be used: {error.strerror}") from error

    def containers(self) -> tuple[Container, ...]:
        """Every worker of this instance, ended ones included."""
        found = []
        for replica in self._replicas():
            try:
                found.append(replica.container())
            except ContainerGone:
                continue  # removed while we looked
        return tuple(found)

    def host(self) -> Host | None:
        """None: processes have no limits, so no room is counted."""
        return None

    def start(self, name: str, pool: str, worker: WorkerSpec, environment: Mapping[str, str], broker: str = "") -> None:
        """Start one worker and see its program run; a name that is taken has had its start."""
        if not _NAME.fullmatch(name):
            raise StartRefused(f"{name!r} cannot be the name of a worker")
        command = _command(worker, name)
        signal_number = _signal(worker.stop_signal)
        variables = _variables(worker, environment, name)
        replica = Replica(self._home / name)
        try:
            with self._ports:
                port = self._free_port() if worker.metrics_port else None
                ticket = Ticket(name, pool, worker.hash, time.time(), signal_number, f"127.0.0.1:{port}" if port else None, broker)
                if not Replica.order(replica.folder, ticket):
                    return
        except OSError as error:
            raise StartRefused(f"the state folder takes no new worker: {error.strerror}") from error
        if port:
            variables |= {"AUTOSCALER_METRICS_HOST": "127.0.0.1", "AUTOSCALER_METRICS_PORT": str(port)}
        self._launch(replica, worker.working_dir or os.getcwd(), command, variables)

    def stop(self, container_id: str, *, kill: bool = False) -> None:
        """Signal the worker's main process, which tells its children itself, or kill it with all its children."""
        replica = self._replica(container_id)
        ticket, lives = replica.ticket, replica.lives
        if lives is None or replica.state is not ContainerState.RUNNING:
            raise ContainerGone(f"{container_id} does not run")
        worker, _ = lives
        try:
            # The descriptor stays with this very process, so a number that was given to another is never signalled.
            held = os.pidfd_open(worker.pid)
            try:
                if not worker.is_running:
                    raise ContainerGone(f"{container_id} has just ended")
                if kill:
                    os.killpg(worker.pid, signal.SIGKILL)
                else:
                    signal.pidfd_send_signal(held, ticket.stop_signal)
            finally:
                os.close(held)
        except ProcessLookupError as error:
            raise ContainerGone(f"{container_id} has just ended") from error
        except PermissionError as error:
            raise ActError(f"{container_id} belongs to another user: run the daemon as the user who started it") from error

    def last_words(self, container_id: str) -> tuple[str, ...]:
        """The end of its log; ContainerGone where there is no such worker."""
        replica = self._replica(container_id)
        return replica.last_words() if replica.ticket else ()

    def remove(self, container_id: str) -> Exit:
        """Forget a worker that has ended or never started, after reading how it ended."""
        replica = self._replica(container_id)
        if not replica.ticket or not replica.is_over():
            raise ActError(f"{container_id} still runs: it has to be stopped before it can be removed")
        end = replica.end()
        lives = replica.lives
        replica.delete()
        if lives:
            _reap(lives[1].pid)
        return end

    def _launch(self, replica: Replica, directory: str, command: list[str], variables: dict[str, str]) -> None:
        line = [sys.executable, "-I", "-S", process_keeper.__file__, str(replica.folder), directory, *command]
        try:
            answer = subprocess.run(  # noqa: S603  # no shell between
                line,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=START_SECONDS,
                check=False,
            ).stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as error:
            text = f"a start has had no answer for {START_SECONDS:g} s: the machine is overloaded; it may still happen"
            raise FleetUnreachable(text) from error
        except (OSError, ValueError) as error:
            answer = f"no process could be started: {error}"
        if answer != "started":
            if replica.is_over():
                replica.delete()
            last = answer.strip().splitlines()[-1:] or ["its keeper ended without a word"]
            raise StartRefused(f"worker.command: {command[0]} could not be started: {last[0]}")

    def _replicas(self) -> list[Replica]:
        try:
            return [Replica(entry) for entry in sorted(self._home.iterdir()) if not entry.name.startswith(".")]
        except OSError as error:
            raise FleetUnreachable(f"the state folder {self._home} cannot be read: {error.strerror}") from error

    def _replica(self, container_id: str) -> Replica:
        if not _NAME.fullmatch(container_id):
            raise ContainerGone(f"there is no worker {container_id!r}")
        return Replica(self._home / container_id)

    def _free_port(self) -> int:
        """A loopback port that nobody listens on and that no other worker was promised."""
        promised = {container.metrics for container in self.containers()}
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port: int = probe.getsockname()[1]
            if f"127.0.0.1:{port}" not in promised:
                return port


def _command(worker: WorkerSpec, name: str) -> list[str]:
    """Entrypoint and command as words, without a shell, `{name}` filled in."""
    command = [*(words(worker.entrypoint, name, "entrypoint") or ()), *(words(worker.command, name, "command") or ())]
    if not command:
        raise StartRefused("worker.command is missing: a process needs to know what to run")
    return command


def _signal(name: str) -> int:
    try:
        return (signal.Signals(int(name)) if name.isdigit() else signal.Signals[f"SIG{name.upper().removeprefix('SIG')}"]).value
    except (KeyError, ValueError):
        raise StartRefused(f"worker.stop_signal: {name} is no signal; the usual one is SIGTERM") from None


def _variables(worker: WorkerSpec, given: Mapping[str, str], name: str) -> dict[str, str]:
    """The daemon's environment without what is its own, then what every worker gets, then the worker's, then its name."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("AUTOSCALER_")}
    own = {key: value.replace("{name}", name) for key, value in worker.environment.items()}
    return inherited | dict(given) | own | {key: given[key] for key in NAMING if key in given}


def _reap(keeper: int) -> None:
    """Collect a keeper that became our child because we are the first process of a container."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(keeper, os.WNOHANG)
