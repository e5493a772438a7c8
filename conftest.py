"""For the whole test run: what is not collected, and that nothing is left out in CI."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")  # how long an example takes says more of the machine than of the code

collect_ignore_glob = ["*/conftest.py"]
"""Fixtures have no examples to try; and all these files share one module name, which only pytest itself can tell apart."""


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Make a skipped test fail the run in CI, where every part is there; people get the list of skipped tests and a green run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped") and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
