"""`autoscaler demo`: a real burst through a real Redis, Flower, Celery and this daemon, on a machine that has none of them.

`play.py` is the story; `stack.py` starts and ends the programs, `workplace.py` says where workers run, `burst.py` sends the
tasks and reads their results, `scene.py` and `screen.py` show what happens, `report.py` measures. `app.py` is the Celery app:
it is imported inside the workers, so this file imports nothing.
"""

from __future__ import annotations

from typing import TextIO


def run_demo(fleet: str, tasks: int, image: str | None, out: TextIO) -> int:
    """Play the demo with so many tasks in all and leave nothing behind; 0 when every task was done and every worker left."""
    from autoscaler.demo.play import play

    return play(fleet, tasks, image, out)
