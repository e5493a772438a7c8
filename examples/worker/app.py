"""The example's Celery app; two lines of it are for the autoscaler."""

from celery import Celery

from autoscaler.contrib.celery import serve_worker_metrics

app = Celery("example", include=["tasks"])
app.config_from_object("celeryconfig")
serve_worker_metrics(app)
