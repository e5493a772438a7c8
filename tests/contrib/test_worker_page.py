"""What a real worker says about itself, in each of Celery's pools."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from celery import Celery
from kombu import Connection
from live import HERE, ROOT, Worker, Workers, commands, free_port, until
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.real
POOLS = [pytest.param(["-P", "prefork", "-c", "2"], id="prefork"), pytest.param(["-P", "threads", "-c", "2"], id="threads")]
PREFIX = "autoscaler_worker_"


def page(worker: Worker) -> dict[str, float]:
    """The samples of a worker's page, without the common prefix."""
    with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/metrics", timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        samples = [sample for family in families for sample in family.samples]
    return {s.name.removeprefix(PREFIX) + "".join(f"{{{v}}}" for v in s.labels.values()): s.value for s in samples}


def shows(worker: Worker, **expected: float) -> Callable[[], bool]:
    """A condition for `until`: the page says this."""

    def matches() -> bool:
        said = page(worker)
        return {key: said[key] for key in expected} == expected

    return matches


def is_silent(redis_url: str) -> bool:
    """Whether the worker waits in one long BRPOP: it has begun, and no command came for a while."""
    before = commands(redis_url)
    time.sleep(0.5)
    return before.get("brpop", 0) > 0 and commands(redis_url) == before


Send = Callable[..., None]


@pytest.fixture
def send(redis_url: str) -> Send:
    """Send a task of workapp.py by name."""
    app = Celery(broker=redis_url)

    def send_task(name: str, *args: object, **options: object) -> None:
        with Connection(redis_url) as connection:
            app.send_task(f"workapp.{name}", args, connection=connection, **options)

    return send_task


@pytest.mark.parametrize("acks", [{}, {"WORKAPP_LATE": "1"}], ids=["early", "late"])
@pytest.mark.parametrize("pool", POOLS)
def test_counts_what_a_worker_has_in_hand(pool: list[str], acks: dict[str, str], workers: Workers, send: Send, tmp_path: Path) -> None:
    """Running, prefetched and planned tasks are told apart, and started and finished ones counted, whenever they are acknowledged."""
    gate = tmp_path / "gate"
    worker = workers.start(*pool, env=acks)
    assert page(worker)["tasks_started_total"] == 0

    for _ in range(5):
        send("hold", str(gate))
    send("quick", countdown=600)
    until(shows(worker, running_tasks=2, reserved_tasks=3, scheduled_tasks=1, tasks_started_total=2, tasks_finished_total=0, slots=2))

    gate.touch()
    until(shows(worker, running_tasks=0, reserved_tasks=0, scheduled_tasks=1, tasks_started_total=5, tasks_finished_total=5, draining=0))
    assert page(worker)["task_runtime_seconds_count"] == 5


@pytest.mark.parametrize("pool", POOLS)
def test_holds_its_messages_until_it_ends(pool: list[str], workers: Workers, send: Send, tmp_path: Path) -> None:
    """During a warm shutdown the page says draining, goes on counting, and names what returns to the queue only at the end."""
    gate = tmp_path / "gate"
    worker = workers.start(*pool)
    for _ in range(5):
        send("hold", str(gate))
    send("quick", countdown=600)
    until(shows(worker, running_tasks=2, reserved_tasks=3, scheduled_tasks=1))

    worker.signal(signal.SIGTERM)

    until(shows(worker, draining=1, running_tasks=2, reserved_tasks=3, scheduled_tasks=1))
    until(lambda: not any(key.startswith("consuming") for key in page(worker)))
    gate.touch()
    assert worker.process.wait(15) == 0


def test_answers_while_a_solo_worker_is_busy(workers: Workers, send: Send, tmp_path: Path) -> None:
    """A solo worker runs tasks in its only thread, and still tells that it runs one and that it was asked to leave."""
    gate = tmp_path / "gate"
    worker = workers.start("-P", "solo")
    send("hold", str(gate))
    until(shows(worker, running_tasks=1, tasks_started_total=1, slots=1))

    worker.signal(signal.SIGTERM)
    until(shows(worker, draining=1, running_tasks=1, tasks_finished_total=0))

    gate.touch()
    assert worker.process.wait(15) == 0


def test_draining_by_remote_control_is_seen(workers: Workers, send: Send, tmp_path: Path, redis_url: str) -> None:
    """A shutdown that comes through the broker sends no signal, and shows all the same."""
    gate = tmp_path / "gate"
    worker = workers.start("-P", "prefork", "-c", "1")
    send("hold", str(gate))
    until(shows(worker, running_tasks=1, draining=0))

    with Celery(broker=redis_url) as app:
        app.control.shutdown(destination=[worker.name])
        until(shows(worker, running_tasks=1, draining=1))

    gate.touch()
    assert worker.process.wait(15) == 0


def test_the_page_costs_the_broker_nothing(workers: Workers, redis_url: str) -> None:
    """A hundred looks at the page of an otherwise silent worker add no command."""
    env = {"WORKAPP_OPTIONS": '{"polling_interval": 60}', "WORKAPP_NO_REMOTE": "1"}
    worker = workers.start("-P", "solo", "--without-heartbeat", env=env)
    until(lambda: is_silent(redis_url))
    before = commands(redis_url)

    for _ in range(100):
        page(worker)

    assert commands(redis_url) == before


def test_a_killed_task_is_finished(workers: Workers, send: Send) -> None:
    """Tasks that fail, are killed by the time limit, or die with their process are counted as ended, and hold nobody busy."""
    worker = workers.start("-P", "prefork", "-c", "2")

    for name in ("fail", "overrun", "die"):
        send(name)

    until(shows(worker, tasks_started_total=3, tasks_finished_total=3, running_tasks=0, reserved_tasks=0))


def test_rate_limited_tasks_are_reserved(workers: Workers, send: Send) -> None:
    """Tasks that wait for a token of their rate limit are held by the worker, though Celery lists them nowhere."""
    worker = workers.start("-P", "prefork", "-c", "1")

    for _ in range(3):
        send("seldom")

    until(shows(worker, tasks_finished_total=1, reserved_tasks=2))


def test_autoscale_offers_its_maximum(workers: Workers) -> None:
    """A worker that grows with its load is worth its largest size."""
    worker = workers.start("-P", "prefork", "--autoscale", "4,1")

    until(shows(worker, slots=4, ready=1))


def test_names_the_worker_and_its_queues(workers: Workers) -> None:
    """The page says which node it belongs to, so that a reused address cannot lend its numbers to another worker."""
    worker = workers.start("-P", "solo", "-Q", "video,mail")

    said = page(worker)

    assert said[f"info{{{worker.name}}}"] == 1
    assert {key for key in said if key.startswith("consuming")} == {"consuming{video}", "consuming{mail}"}


def test_a_taken_port_costs_only_the_page(workers: Workers) -> None:
    """A second worker on the same port warns and works without a page."""
    first = workers.start("-P", "solo")

    second = workers.start("-P", "solo", port=first.port)

    assert f"no metrics page: port {first.port}: " in second.said
    assert f"info{{{first.name}}}" in page(first)


def test_an_orphan_does_not_hold_the_port(workers: Workers, send: Send, tmp_path: Path) -> None:
    """When the main process is killed alone, its busy pool process does not keep the address in use."""
    worker = workers.start("-P", "prefork", "-c", "1")
    send("hold", str(tmp_path / "gate"))
    until(shows(worker, running_tasks=1))

    worker.signal(signal.SIGKILL)
    worker.process.wait(5)

    heir = workers.start("-P", "solo", port=worker.port)
    assert f"info{{{heir.name}}}" in page(heir)


@pytest.mark.parametrize(("value", "told"), [("0", None), ("nine", "no metrics page: port nine: ")])
def test_the_page_can_be_turned_off(value: str, told: str | None, workers: Workers) -> None:
    """Port 0 means no page, silently; a port that is no number is said and costs only the page."""
    worker = workers.start("-P", "solo", env={"AUTOSCALER_METRICS_PORT": value})

    assert told in worker.said if told else "metrics page" not in worker.said
    assert "Traceback" not in worker.said


def test_one_file_is_enough(tmp_path: Path) -> None:
    """Copied alone into an image it can be imported, and brings neither the daemon nor prometheus_client into a producer."""
    (tmp_path / "worker_metrics.py").write_bytes((ROOT / "autoscaler/contrib/celery/worker_page.py").read_bytes())
    code = "import sys, worker_metrics as m; m.serve_worker_metrics(); print({'autoscaler', 'prometheus_client'} & set(sys.modules))"

    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30)

    assert said.stdout.strip() == "set()"


def test_goes_without_prometheus_client(workers: Workers, tmp_path: Path) -> None:
    """An image without prometheus_client gets a worker without a page, and a word about it."""
    (tmp_path / "prometheus_client.py").write_text("raise ImportError")
    paths = os.pathsep.join([str(tmp_path), str(HERE), str(ROOT)])

    worker = workers.start("-P", "solo", port=free_port(), env={"PYTHONPATH": paths})

    assert "prometheus_client is not installed" in worker.said
