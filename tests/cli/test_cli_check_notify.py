"""`autoscaler check` on the addresses of `notify`, without sending anything."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from autoscaler.cli.check import check_all


def check(folder: Path, *urls: str) -> int:
    """The exit code of `autoscaler check --offline` with these addresses."""
    pool = {"queues": ["p"], "replicas": {"max": 1}, "worker": {"command": ["celery", "worker"]}}
    settings = {
        "flower": {"url": "http://127.0.0.1:1"},
        "fleet": {"type": "process"},
        "notify": {"urls": list(urls), "about": ["failover"]},
        "pools": {"p": pool},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    return check_all(folder / "config.yaml", offline=True, as_json=False)


def test_an_address_that_nobody_understands_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its place in the file, because it may hold a password."""
    assert 1 == check(tmp_path, "ntfy://localhost/autoscaler", "nonsense://user:the-password@x")

    said = capsys.readouterr().out
    assert "FAIL  notify: notify.urls: address 2 is none that Apprise understands" in said
    assert "the-password" not in said


def test_good_addresses_and_none_are_fine(tmp_path: Path) -> None:
    """A variable that is not set leaves an empty one."""
    assert 0 == check(tmp_path, "ntfy://localhost/autoscaler", "")
    assert 0 == check(tmp_path)
