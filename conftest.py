"""For the whole test run: what is not collected, what is tried again, what stays together, and that nothing is left out in CI."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")  # how long an example takes says more of the machine than of the code

collect_ignore_glob = ["*/conftest.py"]
"""Fixtures have no examples to try; and all these files share one module name, which only pytest itself can tell apart."""


REAL_PARTS = ("real", "engine", "browser", "prometheus", "tls")
"""Marks of tests in which programs run that are not ours, on a clock that is nobody's."""


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """What fails on real parts is tried once more: the run's closing line counts it, and its first failure is shown (decision 0025)."""
    if any(item.get_closest_marker(part) for part in REAL_PARTS):
        item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes (`-n 2`): tests on the Docker engine follow each other, those of a file stay in one process.

    Only those of `tests/real` go wherever there is room: each takes long and has a house of its own.
    """
    for item in items:
        if item.get_closest_marker("engine"):
            item.add_marker(pytest.mark.xdist_group("engine"))
        elif item.path.parent.name != "real":
            item.add_marker(pytest.mark.xdist_group(str(item.path)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what went wrong the first time."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.section(f"tried again: {report.nodeid}")
        terminalreporter.line(report.longreprtext)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Make a skipped test fail the run in CI, where every part is there; people get the list of skipped tests and a green run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped") and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
