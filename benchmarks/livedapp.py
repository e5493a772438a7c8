"""The Celery app of `lived.py`: tasks that sleep, and workers that note in Redis when they were born and when they were ready."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import redis
from celery import Celery
from celery.signals import worker_ready

from autoscaler.contrib.celery import serve_worker_metrics

BROKER = os.environ.get("CELERY_BROKER_URL", "memory://")

app = Celery("livedapp", broker=BROKER)
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True)
serve_worker_metrics(app)


def _note(what: str, *facts: object) -> None:
    with redis.Redis.from_url(BROKER) as client:
        client.rpush(what, json.dumps(facts))


def _born() -> float:
    """When the operating system began this process, as seconds since the epoch (proc(5): field 22, in clock ticks since boot)."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


@worker_ready.connect
def _on_ready(**_: object) -> None:
    _note("workers", os.environ["AUTOSCALER_REPLICA"], os.getpid(), _born(), time.time())


@app.task
def work(number: int, seconds: float) -> None:
    """Run so long."""
    _note("started", number, time.time())
    time.sleep(seconds)
    _note("finished", number, time.time())
