"""Sends tasks to the example worker, keeps a number of them under way, and says how many came back and how long they waited.

    python load.py --tasks 500 --concurrent 20 --queue default --duration 0.5

Exits 1 when less than 95 % came back. Waits are by the clocks of sender and worker: on one host they are the same.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from celery import Celery

TASK = "tasks.work"
ENOUGH = 0.95
BROKER = os.environ.get("CELERY_BROKER_URL") or os.environ.get("REDIS_URL") or "redis://localhost:6379/0"


def main() -> int:
    """Run as the command line says; the exit code."""
    asked = arguments()
    app = Celery(broker=asked.broker, backend=asked.broker, set_as_current=False)
    begun = time.monotonic()
    waits = run(app, asked)
    report(waits, asked, time.monotonic() - begun)
    return 0 if len(waits) >= ENOUGH * asked.tasks else 1


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Send tasks to the example worker and see what comes back.")
    parser.add_argument("--tasks", type=int, default=500, help="how many in all (%(default)s)")
    parser.add_argument("--concurrent", type=int, default=20, help="at most so many under way at a time (%(default)s)")
    parser.add_argument("--queue", default="default", help="(%(default)s)")
    parser.add_argument("--duration", type=float, default=0.5, help="seconds that a task takes (%(default)s)")
    parser.add_argument("--broker", default=BROKER, help="Redis for tasks and results (CELERY_BROKER_URL)")
    parser.add_argument("--timeout", type=float, default=120.0, help="give up after so many seconds without a result (%(default)s)")
    return parser.parse_args()


def run(app: Celery, asked: argparse.Namespace) -> list[float]:
    """Send all tasks and collect the waits of those that came back, in seconds."""
    waits: list[float] = []
    under_way: set[str] = set()
    sent, last_news = 0, time.monotonic()
    while len(waits) < asked.tasks and time.monotonic() - last_news < asked.timeout:
        for _ in range(min(asked.concurrent - len(under_way), asked.tasks - sent)):
            under_way.add(app.send_task(TASK, (time.time(), asked.duration), queue=asked.queue).id)
            sent += 1
        back = results(app, under_way)
        under_way -= back.keys()
        waits += [result["started_at"] - result["sent_at"] for result in back.values()]
        if back:
            last_news = time.monotonic()
        time.sleep(0.1)
    return waits


def results(app: Celery, ids: set[str]) -> dict[str, dict[str, float]]:
    """The results that are there, by task: all asked for in one command, and those that came are removed."""
    keys = {task_id: app.backend.get_key_for_task(task_id) for task_id in ids}
    answers = zip(keys, app.backend.mget(list(keys.values())), strict=True) if keys else ()
    metas = {task_id: app.backend.decode_result(answer) for task_id, answer in answers if answer}
    done = {task_id: meta["result"] for task_id, meta in metas.items() if meta["status"] == "SUCCESS"}
    for task_id in done:
        app.backend.forget(task_id)
    return done


def report(waits: list[float], asked: argparse.Namespace, seconds: float) -> None:
    """Say what came of it."""
    share = len(waits) / max(asked.tasks, 1)
    print(f"{len(waits)} of {asked.tasks} tasks came back ({share:.1%}) in {seconds:.1f} s, {len(waits) / seconds:.1f} a second")
    ordered = sorted(waits)
    if ordered:
        p50, p95 = (ordered[min(len(ordered) - 1, int(len(ordered) * q))] for q in (0.5, 0.95))
        print(f"waited p50 {p50:.2f} s, p95 {p95:.2f} s, max {ordered[-1]:.2f} s")


if __name__ == "__main__":
    sys.exit(main())
