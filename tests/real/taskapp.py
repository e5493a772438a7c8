"""The Celery app of the end-to-end tests: tasks that leave a trace of every start and every end in Redis."""

from __future__ import annotations

import json
import os
import time

import redis
from celery import Celery

from autoscaler.contrib.celery import serve_worker_metrics

BROKER = os.environ.get("CELERY_BROKER_URL", "memory://")
TRACES = os.environ.get("TASKAPP_TRACES", BROKER)

app = Celery("taskapp", broker=BROKER)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_use_ssl=json.loads(os.environ.get("TASKAPP_TLS", "false")),
    broker_transport_options=json.loads(os.environ.get("TASKAPP_TRANSPORT", "{}")),
)
serve_worker_metrics(app)


@app.task(bind=True)
def work(self, number: int, seconds: float) -> None:
    """Take some time; the lists `started` and `finished` say how often that happened to which task."""
    with redis.Redis.from_url(TRACES) as client:
        client.rpush("started", json.dumps([number, time.time(), self.request.hostname]))
        time.sleep(seconds)
        client.rpush("finished", json.dumps([number, time.time(), self.request.hostname]))
