"""Which tasks a worker runs, asked before it is killed."""

from __future__ import annotations

import pytest
from neighbours import Reply, neighbour, recorded

from autoscaler.config.models import FlowerSettings
from autoscaler.sources.fetch import Answer
from autoscaler.sources.flower_tasks import MOST_TASKS, RunningTasks, task_ids

PATH = "/api/tasks?state=STARTED&limit=100&workername=w1%40lab"
STARTED = recorded("2.2.0", "s04-one-worker-busy/tasks_started")


def test_recorded_tasks_have_their_ids() -> None:
    """Two tasks ran when this was recorded."""
    with neighbour({PATH: STARTED}) as there:
        found = RunningTasks(FlowerSettings(url=there.url))("w1@lab")

    assert len(found) == 2
    assert "73adc2cd-6d71-42ab-8311-99d48d769457" in found


def test_no_answer_is_no_obstacle() -> None:
    """A Flower that is away, refuses, or says something else: nobody knows the names, and that is all."""
    assert RunningTasks(FlowerSettings(url="http://127.0.0.1:9"))("w1@lab") == ()
    with neighbour({PATH: Reply(401, "text/plain", b"no")}) as there:
        assert RunningTasks(FlowerSettings(url=there.url))("w1@lab") == ()


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        pytest.param(b'{"a": {"worker": "other", "state": "STARTED"}}', (), id="of another worker"),
        pytest.param(b'{"a": {"worker": "w1@lab", "state": "SUCCESS"}}', (), id="over"),
        pytest.param(b'{"a": 1, "b": null}', (), id="no tasks"),
        pytest.param(b"[]", (), id="another shape"),
        pytest.param(b"<html>", (), id="no JSON"),
    ],
)
def test_only_what_surely_runs_is_named(body: bytes, ids: tuple[str, ...]) -> None:
    """Flower's filters are not believed."""
    assert task_ids(Answer(200, "application/json", body), "w1@lab") == ids


def test_names_are_bounded() -> None:
    """No answer makes the record endless."""
    many = ", ".join(f'"{n:0100d}": {{"worker": "w1@lab", "state": "STARTED"}}' for n in range(MOST_TASKS + 5))
    found = task_ids(Answer(200, "application/json", f"{{{many}}}".encode()), "w1@lab")

    assert (len(found), max(map(len, found))) == (MOST_TASKS, 64)
