"""Settings with which a worker can be stopped, and even killed, at any time without losing a task."""

import os

broker_url = os.environ.get("CELERY_BROKER_URL") or os.environ.get("REDIS_URL") or "redis://localhost:6379/0"
result_backend = os.environ.get("CELERY_RESULT_BACKEND") or broker_url
result_expires = 3600
broker_connection_retry_on_startup = True

# A message leaves the broker when its task has ended, also when the process of the task dies: a task may then run twice, so it
# must bear that; without these lines it would not run at all.
task_acks_late = True
task_reject_on_worker_lost = True

# A worker takes only what it can run now. What it would hold in reserve no other worker could run, and nobody could count.
worker_prefetch_multiplier = 1
worker_disable_prefetch = True

broker_transport_options = {
    # Longer than the longest task, ETA included: after this time Redis hands an unfinished task to a second worker.
    "visibility_timeout": int(os.environ.get("CELERY_VISIBILITY_TIMEOUT", "10800")),
}

# For a broker that bills commands: an idle worker that asks twice a minute, and nothing else. What that takes away is in the README.
if os.environ.get("CELERY_METERED") == "1":
    worker_enable_remote_control = False  # the worker's own page tells what Flower can no longer ask
    worker_send_task_events = False
    broker_transport_options |= {
        "polling_interval": 30.0,
        "unacked_restore_interval": 360,  # ten times this lies between two searches for what a dead worker has left, one at each start
    }

# Seconds between two questions of an idle worker to Redis; Celery's own is 1, which is 86,400 commands a day. For workers only:
# Flower and producers with this setting miss the answers that they wait for. An idle worker takes as long to leave.
if "CELERY_POLLING_INTERVAL" in os.environ:
    broker_transport_options["polling_interval"] = float(os.environ["CELERY_POLLING_INTERVAL"])
