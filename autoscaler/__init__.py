"""Keeps exactly the right number of Celery worker containers running.

This file imports nothing, so that a worker image may import `autoscaler.contrib.celery` without the daemon's dependencies.
"""

__version__ = "0.1.0"
