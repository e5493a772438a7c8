"""A page on which a Celery worker tells how it is: what it runs, holds, has planned, and whether it is leaving.

For the user's Celery app; it needs celery and prometheus_client and nothing of the daemon, so this one file can also be copied
into an image:

    from autoscaler.contrib.celery import serve_worker_metrics
    serve_worker_metrics(app)

The page is served by a thread of the worker's main process: it answers while a solo worker is busy and during a warm shutdown,
when Flower and the remote control are silent, and it never asks the broker anything. AUTOSCALER_METRICS_PORT (9100) and
AUTOSCALER_METRICS_HOST (0.0.0.0) say where; port 0 turns it off. Whatever goes wrong here costs the page, never the worker.
"""

from __future__ import annotations

import logging
import mmap
import os
import socket
import socketserver
import threading
import time
from collections.abc import Iterable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any, NamedTuple

import kombu
from billiard.process import current_process
from celery import bootsteps, signals

log = logging.getLogger("celery.worker.autoscaler")

DEFAULT_PORT = 9100
PORTS_TRIED = 100
"""Where nobody named a port, the first free one from 9100: several workers on one host need no configuration."""
BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Upper bounds in seconds; no task label, because a page must not grow with the application."""
ROWS = 257
"""One row of counts for the main process and one for each of 256 pool processes."""
WIDTH = len(BUCKETS) + 2


def serve_worker_metrics(app: Any = None, port: int | None = None, host: str | None = None) -> None:
    """Serve the page from every worker of `app` (of any app, when None) that this process becomes.

    Does nothing in a producer, in beat or in Flower. The environment goes before the arguments, so that whoever starts the worker
    can place the page without touching the code. Calling it twice is the same as once.
    """
    signals.worker_init.connect(WorkerPage(app, port, host).open, weak=False, dispatch_uid="autoscaler.worker_metrics")


class Tasks(NamedTuple):
    """What the worker has in hand at one moment."""

    started: int
    running: int
    reserved: int
    scheduled: int


class WorkerPage:
    """One worker's page, from `worker_init` (before the pool forks) to the end of the process."""

    def __init__(self, app: Any = None, port: int | None = None, host: str | None = None) -> None:
        self._app = app
        self._port = port
        self._host = host
        self._worker: Any = None
        self._server: ThreadingHTTPServer | None = None
        self._pid = 0
        self._trouble = ""
        self._is_ready = False
        self._at_leaving: Tasks | None = None
        self._finished = 0
        self._runtimes = Runtimes()

    # ------------------------------------------------------------ what Celery tells

    def open(self, sender: Any = None, **_: Any) -> None:
        """Start serving; connected to `worker_init`, so `sender` is the worker."""
        if self._app is not None and self._app != sender.app:
            return
        self._worker, self._pid = sender, os.getpid()
        signals.worker_ready.connect(self._ready, weak=False)
        try:
            self._server = self._listen()
        except ImportError:
            self._trouble = "prometheus_client is not installed in this image"
        except (OSError, OverflowError, ValueError) as error:
            self._trouble = f"port {os.environ.get('AUTOSCALER_METRICS_PORT') or self._port or DEFAULT_PORT}: {error}"
        if self._server is not None:
            self._follow()
            threading.Thread(target=self._server.serve_forever, name="autoscaler-metrics", daemon=True).start()

    def _follow(self) -> None:
        signals.worker_shutting_down.connect(self._shutting_down, weak=False)
        signals.worker_process_init.connect(self._child_started, weak=False)
        signals.task_prerun.connect(self._runtimes.begin, weak=False)
        signals.task_postrun.connect(self._runtimes.end, weak=False)

    def _ready(self, **_: Any) -> None:
        """Only now does Celery's logging work: what was said at `worker_init` would be lost."""
        self._is_ready = True
        if self._trouble:
            log.warning("no metrics page: %s", self._trouble)
        elif self._server is not None:
            log.info("metrics page on port %d", self._server.server_address[1])

    def _shutting_down(self, **_: Any) -> None:
        self._at_leaving = self._tasks()

    def _child_started(self, **_: Any) -> None:
        """A pool process inherits the listening socket: left open, it would hold the port after a kill of the worker."""
        if self._server is not None and os.getpid() != self._pid:
            self._server.socket.close()

    # ------------------------------------------------------------ where it is served

    def _listen(self) -> ThreadingHTTPServer | None:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import MetricsHandler

        registry = CollectorRegistry()
        registry.register(self)
        handler: Any = MetricsHandler.factory(registry)
        handler.timeout = 10  # seconds: a client that says nothing must not hold a thread for ever
        host = os.environ.get("AUTOSCALER_METRICS_HOST") or self._host or "0.0.0.0"  # noqa: S104 - the container's own network
        ports = self._ports()
        for port in ports:
            try:
                return _Server((host, port), handler)
            except OSError:
                if port == ports[-1]:
                    raise
        return None

    def _ports(self) -> tuple[int, ...]:
        """The ports to try: the one that was asked for, none when it is 0, or the first free one."""
        named = os.environ.get("AUTOSCALER_METRICS_PORT") or self._port
        if named is None:
            return tuple(range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED))
        return (int(named),) if int(named) else ()

    # ------------------------------------------------------------ what it says

    def describe(self) -> Iterable[Any]:
        """Nothing in advance: registering must not read a worker that is still being built."""
        return ()

    def collect(self) -> Iterator[Any]:
        """The metric families of this moment, for prometheus_client; a value that cannot be read is left out."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily

        tasks = self._in_hand()
        draining = self._leaving()
        yield InfoMetricFamily("autoscaler_worker", "Name of the Celery node.", value={"worker": str(self._worker.hostname)})
        yield GaugeMetricFamily("autoscaler_worker_ready", "1 once the worker consumes.", value=self._is_ready)
        yield GaugeMetricFamily("autoscaler_worker_draining", "1 from the first signal to leave.", value=draining)
        yield GaugeMetricFamily("autoscaler_worker_running_tasks", "Tasks running now.", value=tasks.running)
        yield GaugeMetricFamily("autoscaler_worker_reserved_tasks", "Tasks prefetched and not started.", value=tasks.reserved)
        yield GaugeMetricFamily("autoscaler_worker_scheduled_tasks", "ETA and countdown tasks held in memory.", value=tasks.scheduled)
        yield CounterMetricFamily("autoscaler_worker_tasks_started", "Tasks started.", value=tasks.started)
        yield CounterMetricFamily("autoscaler_worker_tasks_finished", "Tasks that ended in any way.", value=self._ended(tasks))
        if (slots := _slots(self._worker)) is not None:
            yield GaugeMetricFamily("autoscaler_worker_slots", "Tasks it can run at once; with autoscale the maximum.", value=slots)
        if setup := _setup(self._worker):
            yield InfoMetricFamily("autoscaler_worker_setup", "What it costs its broker, for `autoscaler check`.", value=setup)
        consuming = GaugeMetricFamily("autoscaler_worker_consuming", "Queues that it takes tasks from.", labels=["queue"])
        for queue in () if draining else _queues(self._worker):
            consuming.add_metric([queue], 1)
        yield consuming
        runtime = HistogramMetricFamily("autoscaler_worker_task_runtime_seconds", "How long tasks ran.")
        buckets, total = self._runtimes.totals()
        runtime.add_metric([], buckets, total)
        yield runtime

    def _in_hand(self) -> Tasks:
        """As `_tasks`; a leaving worker empties its lists at once, yet its messages go back to the queue only when it ends."""
        now, then = self._tasks(), self._at_leaving
        if then is None:
            return now
        kept = then.reserved - (now.started - then.started)
        return now._replace(reserved=max(now.reserved, kept), scheduled=max(now.scheduled, then.scheduled))

    def _tasks(self) -> Tasks:
        """What Celery's lists say, read against the direction in which a task moves, so that none slips through."""
        from celery.worker import state

        started = state.all_total_count[0]
        scheduled = _scheduled(self._worker)
        running = _copy(state.active_requests)
        reserved = (_copy(state.reserved_requests) | _rate_limited(self._worker)) - running - scheduled
        return Tasks(started, len(running), len(reserved), len(scheduled))

    def _ended(self, tasks: Tasks) -> int:
        """What was started and runs no more: also right for a task whose process was killed; never falls."""
        self._finished = max(self._finished, tasks.started - tasks.running)
        return self._finished

    def _leaving(self) -> bool:
        """Signals announce themselves; a shutdown by remote control is seen only by what it does."""
        blueprint = getattr(self._worker, "blueprint", None)
        return self._at_leaving is not None or getattr(blueprint, "state", None) in (bootsteps.CLOSE, bootsteps.TERMINATE)


class Runtimes:
    """Runtimes of tasks, counted in memory that the pool's processes share with the main one.

    Each process adds to a row of its own, so there is no lock that a killed process could take to its grave, and no file.
    A pool that does not fork (`worker_pool_start_method: spawn`) shares nothing: its histogram stays empty.
    """

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, ROWS * WIDTH * 8)).cast("d")
        self._begun: dict[str, float] = {}
        self._threads = threading.Lock()

    def begin(self, task_id: str = "", **_: Any) -> None:
        """Note the start of a task; connected to `task_prerun`."""
        self._begun[task_id] = time.monotonic()

    def end(self, task_id: str = "", **_: Any) -> None:
        """Count the runtime of a task; connected to `task_postrun`."""
        begun = self._begun.pop(task_id, None)
        if begun is not None:
            self.observe(time.monotonic() - begun)

    def observe(self, seconds: float) -> None:
        """Add one runtime to the row of this process."""
        row = _row() * WIDTH
        bucket = next((i for i, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))
        with self._threads:
            self._cells[row + bucket] += 1
            self._cells[row + WIDTH - 1] += seconds

    def totals(self) -> tuple[list[tuple[str, float]], float]:
        """Cumulative buckets and the sum of seconds over all processes."""
        cells = self._cells.tolist()
        columns = [sum(cells[i::WIDTH]) for i in range(WIDTH)]
        cumulative, below = [], 0.0
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), columns, strict=False):
            below += count
            cumulative.append((bound, below))
        return cumulative, columns[-1]


class _Server(ThreadingHTTPServer):
    """Binds without looking up the host's own name, which can take many seconds where DNS is broken."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])


def _row() -> int:
    """0 for the main process, else the pool's own number for this child, which a successor inherits only after its end."""
    index = getattr(current_process(), "index", None)
    return 0 if index is None else 1 + index % (ROWS - 1)


def _copy(requests: Iterable[Any]) -> set[Any]:
    """A copy of a set that Celery's own thread may change meanwhile."""
    for _ in range(20):
        try:
            return set(requests)
        except RuntimeError:  # changed size during iteration
            continue
    return set(requests)


def _scheduled(worker: Any) -> set[Any]:
    """Requests that wait for their time in the worker's memory."""
    from celery.worker import state

    if hasattr(state, "scheduled_requests"):
        return _copy(state.scheduled_requests)
    from celery.worker.request import Request  # before 5.7 only the timer knows them

    timer = getattr(getattr(worker, "consumer", None), "timer", None)
    entries = [event.entry for event in timer.schedule.queue] if timer is not None else []
    return {entry.args[0] for entry in entries if entry.args and isinstance(entry.args[0], Request) and not entry.canceled}


def _rate_limited(worker: Any) -> set[Any]:
    """Requests that wait for a token of their task's rate limit; Celery lists them nowhere else."""
    buckets = getattr(getattr(worker, "consumer", None), "task_buckets", None) or {}
    return {request for bucket in list(buckets.values()) if bucket for request, _ in list(bucket.contents)}


def _slots(worker: Any) -> int | None:
    """Tasks that the worker can run at once; None while it has no pool yet."""
    scaler = getattr(worker, "autoscaler", None)
    if scaler is not None:
        return int(scaler.max_concurrency)
    try:
        return int(worker.pool.num_processes)
    except AttributeError:  # no pool yet, or one that has not forked
        return None


def _setup(worker: Any) -> dict[str, str]:
    """What this worker tells its broker unasked, and the transport options that matter; nothing while it has no consumer yet."""
    steps = {type(step).__name__ for step in getattr(getattr(worker, "consumer", None), "steps", ())}
    if not steps:
        return {}
    options = worker.app.conf.broker_transport_options or {}
    parts = {"gossip": "Gossip", "mingle": "Mingle", "heartbeat": "Heart", "remote_control": "Control"}
    told = {name: "on" if step in steps else "off" for name, step in parts.items()}
    given = {key: str(options[key]) for key in ("polling_interval", "visibility_timeout") if key in options}
    return {"kombu": kombu.__version__, **told, **given}


def _queues(worker: Any) -> list[str]:
    consumer = getattr(getattr(worker, "consumer", None), "task_consumer", None)
    return [queue.name for queue in consumer.queues if consumer.consuming_from(queue)] if consumer is not None else []
