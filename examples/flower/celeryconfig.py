"""What Flower loads as its app's configuration: the queues that it lists before it has met a worker.

Without it Flower shows only the queue `celery` then. As soon as Flower has inspected a worker it lists that worker's queues and no
others, so this does not replace `brokers:` in config.yaml. Nothing that changes how Flower talks to Redis belongs here: with
`polling_interval`, for one, its control messages get lost.
"""

import os

from kombu import Queue

task_queues = [Queue(name) for name in os.environ["CELERY_QUEUES"].split(",")]
