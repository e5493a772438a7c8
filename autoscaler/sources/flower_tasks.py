"""Which tasks does a worker run right now? Asked of Flower only when the worker is about to be killed, so that the record can name them.

The hands are given a `RunningTasks` and call it in a thread of their own; Flower answers from the events it has heard, which costs the
broker nothing. What cannot be found out is left out: not knowing the names never stops a kill, and a kill is counted without them.
"""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

from autoscaler.config.models import FlowerSettings
from autoscaler.errors import SightError
from autoscaler.sources.fetch import Answer, fetch
from autoscaler.sources.flower import client_for

MOST_TASKS = 100
"""As many as are asked for: without a limit Flower sends all that it remembers."""
LONGEST_ID = 64


class RunningTasks:
    """Asks one Flower for a worker's running tasks."""

    def __init__(self, settings: FlowerSettings) -> None:
        self._settings = settings

    def __call__(self, worker: str) -> tuple[str, ...]:
        """Ids of the tasks that this worker is known to run; none where Flower does not say."""
        if not self._settings.enabled:
            return ()
        try:
            return asyncio.run(self._ask(worker))
        except SightError:
            return ()

    async def _ask(self, worker: str) -> tuple[str, ...]:
        url = f"{self._settings.url.rstrip('/')}/api/tasks?state=STARTED&limit={MOST_TASKS}&workername={quote(worker, safe='')}"
        async with client_for(self._settings)[0] as client:
            return task_ids(await fetch(client, url, deadline_seconds=self._settings.timeout), worker)


def task_ids(answer: Answer, worker: str) -> tuple[str, ...]:
    """The ids of this worker's started tasks in an answer of `/api/tasks`, none where it is something else.

    >>> said = b'{"1-a": {"worker": "w1@lab", "state": "STARTED"}, "2-b": {"worker": "w2@lab"}}'
    >>> task_ids(Answer(200, "application/json", said), "w1@lab")
    ('1-a',)
    """
    try:
        listed = json.loads(answer.body) if answer.status == 200 else {}
    except (ValueError, RecursionError):
        return ()
    entries = listed.items() if isinstance(listed, dict) else ()
    ours = (name for name, task in entries if isinstance(task, dict) and (task.get("worker"), task.get("state")) == (worker, "STARTED"))
    return tuple(name[:LONGEST_ID] for name in ours)[:MOST_TASKS]
