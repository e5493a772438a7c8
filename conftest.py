"""For the whole test run: what is not collected, what is tried again, what stays together, and that nothing is left out in CI."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

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


class Together(LoadScopeScheduling):
    """With several processes (`-n 2`): tests on the Docker engine follow each other, those of a file stay in one process.

    Those in a browser follow them: networks that the engine makes and removes break its connections (ERR_NETWORK_CHANGED).
    Only those of `tests/real` go wherever there is room: each takes long and has a house of its own. xdist's own way to say this,
    marks (`--dist loadgroup`), does nothing with pytest 9.2: it writes them into names that pytest does not read any more.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if _has_to_do_with_the_engine(file):
            return "engine"
        return nodeid if file.startswith("tests/real/") else file


@cache
def _has_to_do_with_the_engine(file: str) -> bool:
    text = (Path(__file__).parent / file).read_text()
    return "pytest.mark.engine" in text or "pytest.mark.browser" in text


@pytest.hookimpl(optionalhook=True)  # there is nobody to call it where xdist is turned off
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    """Which test goes to which process."""
    return Together(config, log)


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
