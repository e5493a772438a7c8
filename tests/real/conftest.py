"""A house per test, on the session's Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from house import House


@pytest.fixture
def house(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Redis is empty, nothing else runs yet."""
    monkeypatch.setenv("CELERY_BROKER_URL", redis_url)
    built = House(tmp_path, redis_url)
    yield built
    built.close()
