"""What a user's Celery app may import: `serve_worker_metrics` for workers, `wake_on_publish` for whatever sends tasks.

Nothing of the daemon is needed, nor loaded; each of the two files also works alone, copied into an image.
"""

from autoscaler.contrib.celery.wake import wake_on_publish
from autoscaler.contrib.celery.worker_page import serve_worker_metrics

__all__ = ["serve_worker_metrics", "wake_on_publish"]
