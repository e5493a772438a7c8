"""The Celery app of the real tests; WORKAPP_* in the environment says how it acknowledges and routes."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from celery import Celery
from kombu import Exchange, Queue

from autoscaler.contrib.celery import serve_worker_metrics

app = Celery("workapp", broker=os.environ.get("WORKAPP_BROKER", "memory://"))
app.conf.update(
    task_acks_late="WORKAPP_LATE" in os.environ,
    task_reject_on_worker_lost=True,
    broker_transport_options=json.loads(os.environ.get("WORKAPP_OPTIONS", "{}")),
    broker_connection_retry_on_startup=True,
    worker_enable_remote_control="WORKAPP_NO_REMOTE" not in os.environ,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    task_queues=[
        Queue("celery"),
        Queue("video", Exchange("media", type="topic"), routing_key="media.video.#"),
        Queue("audio", Exchange("media", type="topic"), routing_key="media.audio.*"),
        Queue("mail", Exchange("post", type="direct"), routing_key="letters"),
    ],
)
serve_worker_metrics(app)


@app.task
def quick() -> None:
    """End at once."""


@app.task
def hold(gate: str) -> None:
    """Run until the file `gate` exists."""
    while not Path(gate).exists():
        time.sleep(0.01)


@app.task(rate_limit="1/h")
def seldom() -> None:
    """Wait for a token that comes once an hour."""


@app.task
def fail() -> None:
    """End badly."""
    raise ValueError("as asked")


@app.task(time_limit=1)
def overrun() -> None:
    """Be killed by the hard time limit, with its pool process."""
    time.sleep(30)


@app.task
def die() -> None:
    """Take the pool process down without a word."""
    os._exit(9)
