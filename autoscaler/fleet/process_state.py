"""What the process fleet knows about one replica: a folder that outlives the daemon.

    replica.json   what was ordered, written by the fleet before anything can run
    process        who runs it, written by the worker itself before its program runs
    exit           how it ended, written by the keeper
    log, log.1     its last words

`process.py` orders and signals, `process_keeper.py` writes the other half; this module reads both halves together.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path

from autoscaler.errors import ContainerGone, FleetUnreachable
from autoscaler.fleet.process_keeper import EXIT, LOG, NEVER, OLD_LOG, PROCESS, Life, publish
from autoscaler.model import Container, ContainerState, Exit

TICKET = "replica.json"
TAIL_LINES = 20
TAIL_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Ticket:
    """What was ordered. The environment is left out: it holds passwords, and nothing needs it after the start."""

    name: str
    pool: str
    spec: str
    created_at: float
    stop_signal: int
    metrics: str | None = None
    broker: str = ""


class Replica:
    """One replica's folder: written once by each side, only ever read whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def order(cls, folder: Path, ticket: Ticket) -> bool:
        """Make the folder with its ticket in it, all at once; False when this name is taken."""
        draft = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
        try:
            with (draft / TICKET).open("w") as file:
                json.dump(asdict(ticket), file)
                file.flush()
                os.fsync(file.fileno())  # a power cut must leave a whole ticket or none
            draft.rename(folder)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            if folder.exists():
                return False
            raise
        return True

    @property
    def ticket(self) -> Ticket:
        """What was ordered; raises ContainerGone when the folder has gone."""
        try:
            return Ticket(**json.loads((self.folder / TICKET).read_text()))
        except FileNotFoundError as error:
            raise ContainerGone(f"there is no worker {self.folder.name}") from error
        except (OSError, ValueError, TypeError) as error:
            raise FleetUnreachable(
                f"{self.folder / TICKET} cannot be read ({type(error).__name__}): if no worker of that name runs, delete the folder"
            ) from error

    @property
    def lives(self) -> tuple[Life, Life] | None:
        """The worker and its keeper, None as long as no worker was started."""
        text = self._read(PROCESS)
        if text is None or text == NEVER:
            return None
        pid, started, keeper, keeper_started, boot = text.split()
        return Life(int(pid), int(started), boot), Life(int(keeper), int(keeper_started), boot)

    @property
    def state(self) -> ContainerState:
        """Running until its end is written down, or until nobody is left who could write it."""
        if self._read(EXIT) is not None or self._read(PROCESS) == NEVER:
            return ContainerState.EXITED
        lives = self.lives
        if lives is None:
            return ContainerState.CREATED
        if any(life.is_running for life in lives):
            return ContainerState.RUNNING
        return ContainerState.EXITED

    @property
    def exit_code(self) -> int | None:
        """As in Docker, 137 for a killed one; None while it runs, and when its keeper was killed before it."""
        text = self._read(EXIT)
        return None if text is None else int(text)

    def container(self) -> Container:
        """The same as every fleet shows it."""
        ticket, state = self.ticket, self.state
        return Container(
            id=ticket.name,
            name=ticket.name,
            pool=ticket.pool,
            state=state,
            created_at=ticket.created_at,
            spec=ticket.spec,
            exit_code=self.exit_code if state is ContainerState.EXITED else None,
            metrics=ticket.metrics,
            broker=ticket.broker,
        )

    def is_over(self) -> bool:
        """True when no worker runs and none ever will: a start that was ordered and not carried out yet is called off."""
        state = self.state
        return state is ContainerState.EXITED or (state is ContainerState.CREATED and publish(str(self.folder), PROCESS, NEVER))

    def end(self) -> Exit:
        """How it ended, with its last words."""
        return Exit(self.exit_code, log_tail=self.last_words())

    def delete(self) -> None:
        """Take the whole folder away, so that a crash half way leaves only what the next start sweeps up."""
        grave = self.folder.with_name(f".gone-{self.folder.name}")
        try:
            self.folder.rename(grave)
        except FileNotFoundError as error:
            raise ContainerGone(f"{self.folder.name} was removed by somebody else") from error
        shutil.rmtree(grave, ignore_errors=True)

    def _read(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_text()
        except FileNotFoundError:
            return None

    def last_words(self) -> tuple[str, ...]:
        """The end of its log, also while it runs."""
        lines: deque[str] = deque(maxlen=TAIL_LINES)
        for name in (OLD_LOG, LOG):
            try:
                with (self.folder / name).open("rb") as file:
                    file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
                    lines.extend(file.read(TAIL_BYTES).decode(errors="replace").splitlines())
            except FileNotFoundError:
                continue
        return tuple(lines)


def sweep(folder: Path) -> None:
    """Delete what a crash left half made or half deleted; none of it can have a worker."""
    for rest in (*folder.glob(".new-*"), *folder.glob(".gone-*")):
        shutil.rmtree(rest, ignore_errors=True)
