"""A short chaos on real parts: every task has its effect, and nothing of ours or of others is lost or left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from .__main__ import storm

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def test_chaos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon, workers, Flower and Redis are killed and hung, the file is edited, the disk is full; afterwards all is well."""
    for name in ("CELERY_BROKER_URL", "TASKAPP_TRACES", "TASKAPP_TRANSPORT"):
        monkeypatch.setenv(name, "")  # set by the run; put back afterwards

    run = storm(tmp_path / "house", seconds=20.0, tasks=150, seed=7)

    assert [] == run.wrong
    assert run.converged_seconds is not None
    assert 150 == run.done
