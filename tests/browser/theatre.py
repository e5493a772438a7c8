"""The status page with a stage behind it: the real server, application and journal, and snapshots that a test makes up."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from live import HERE, ROOT, free_port, until
from telling import a_decision, a_record, a_replica, a_snapshot, a_source, a_step, a_view

sys.path[:0] = [str(HERE / "web"), str(HERE / "real")]

from window import House  # noqa: E402

from autoscaler.model import Known, Memory, Phase, PoolDecision, QueueSight, Replica, Unknown  # noqa: E402
from autoscaler.report.journal import Journal  # noqa: E402
from autoscaler.report.snapshot import ConfigState, Snapshot  # noqa: E402
from autoscaler.web.server import Server  # noqa: E402


class Theatre(House):
    """What is put on the stage is what every open page shows, and what the journal keeps."""

    def __init__(self, folder: Path) -> None:
        super().__init__(None)
        self.journal = Journal(folder / "journal.sqlite3")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.server: Server | None = None
        self.snapshot = None

    def show(self, snapshot: Snapshot) -> None:
        """One tick."""
        self.snapshot = snapshot
        if snapshot.record:
            self.journal.record(snapshot.record, snapshot.memory)
            self.journal.flush()

    def open(self) -> None:
        """Serve, on the same port each time."""
        stream = self.app.state.stream
        self.server = Server(self.app, f"127.0.0.1:{self.port}", leaving=stream.close)
        self.server.start()

    def shut(self) -> None:
        """As when the daemon is stopped."""
        if self.server:
            self.server.stop()
        self.server = None

    def close(self) -> None:
        """Take everything down."""
        self.shut()
        self.journal.close()

    def _read(self, what: str, *question: Any) -> list[dict[str, Any]]:
        return {"decisions": self.journal.decisions, "history": self.journal.ticks, "orders": self.journal.orders}[what](*question)

    def _news(self, after: int, limit: int) -> list[dict[str, Any]]:
        return self.journal.news(after, limit)


def a_pool(
    name: str = "mail", *, waiting: int | None = 0, ready: int = 0, busy: int = 0, starting: int = 0, draining: int = 0, lost: int = 0
) -> PoolDecision:
    """A pool of workers with four slots each, as busy as they are, decided by its backlog alone."""
    now = time.time()
    counts = {Phase.READY: ready, Phase.STARTING: starting, Phase.DRAINING: draining, Phase.LOST: lost}
    replicas = tuple(_replica(name, phase, i, now) for phase, n in counts.items() for i in range(n))
    left = busy
    for i, replica in enumerate(replicas):
        running = min(4, left) if replica.phase is Phase.READY else 0
        left -= running
        replicas = (*replicas[:i], replace(replica, running=running), *replicas[i + 1 :])
    depth = Unknown("Flower does not list it", "flower") if waiting is None else Known(waiting, now, "flower")
    blind = (f"queue {name}: Flower does not list it",) if waiting is None else ()
    view = a_view(name, waiting=waiting, replicas=replicas, queues=(QueueSight(name, depth),), blind=blind)
    wanted = -(-((waiting or 0) + busy) // 4)
    words = f"{waiting or 0} waiting + {busy} busy of {4 * ready} slots: needs {wanted} of 4 slots each"
    steps = (a_step(view.current, wanted, reason="BacklogAboveThreshold" if waiting else "NoDemand", because=words),)
    if wanted < view.current:
        because = f"the most needed within the last 12 s was {view.current}"
        steps += (a_step(wanted, view.current, rule="stabilization", reason="ScaleDownStabilized", because=because),)
    return a_decision(name, *steps, view=view)


def _replica(pool: str, phase: Phase, number: int, now: float) -> Replica:
    return a_replica(f"prod-{pool}-{phase}-{number}", phase, since=now - 61 - number)


def a_tick(*pools: PoolDecision, at: float | None = None, sources: tuple = (), **changes: Any) -> Snapshot:
    """What readers get after a tick of these pools, a moment ago unless said otherwise."""
    at = time.time() if at is None else at
    seen = tuple(replace(source, at=at) for source in sources or (a_source(), a_source("fleet")))
    record = a_record(*pools, at=at, sources=seen)
    config = ConfigState("0123456789ab", at - 3600)
    return a_snapshot(record, **({"config": config, "started_at": at - 7200, "memory": Memory()} | changes))


__all__ = ["ROOT", "Theatre", "a_pool", "a_tick", "until"]
