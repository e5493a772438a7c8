"""The demo's Celery app: two kinds of work that only take time, and measure how long they had to wait.

Loaded by the workers, by Flower and by the sender; the broker's address comes from the environment, as in a user's app.
"""

from __future__ import annotations

import os
import time

from celery import Celery

from autoscaler.contrib.celery import serve_worker_metrics

WORK = "demo.work"

app = Celery("demo", broker=os.environ.get("CELERY_BROKER_URL"), backend=os.environ.get("CELERY_BROKER_URL"))
app.conf.update(
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=1,  # the second burst's tasks should wait in the queue, where they can be seen
    task_track_started=True,  # so that a task that began and never ended can be told from one that never began
    task_create_missing_queues=True,
)
serve_worker_metrics(app)


def work(sent_at: float, seconds: float) -> dict[str, float]:
    """Take this long; the result tells when the task was sent and when it began, in seconds since the epoch."""
    started_at = time.time()
    time.sleep(seconds)
    return {"sent_at": sent_at, "started_at": started_at}


app.task(name=WORK)(work)
