"""Work that only takes time, and tells when it began."""

import time

from celery import shared_task


@shared_task(name="tasks.work")
def work(sent_at: float, seconds: float) -> dict[str, float]:
    """Take this long; the result says when the task was sent and when it began, in seconds since the epoch."""
    started_at = time.time()
    time.sleep(seconds)
    return {"sent_at": sent_at, "started_at": started_at}
