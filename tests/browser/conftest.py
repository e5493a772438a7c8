"""A browser for the module, and for each test a page that must not complain."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from tabs import Tab
from theatre import Theatre

expect.set_options(timeout=15_000)
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium. Ends with the module: while Playwright runs, no other test could use asyncio."""
    found = os.environ.get("AUTOSCALER_TEST_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip("no Chromium on this machine: scripts/browser says how to get one")
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=options)
        yield launched
        launched.close()


@pytest.fixture
def new_tab(browser: Browser) -> Iterator[Callable[..., Tab]]:
    """A maker of pages, each with storage of its own; takes what Playwright's new_context takes."""
    tabs: list[Tab] = []

    def make(**options: object) -> Tab:
        settings = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", **options}
        tab = Tab(browser.new_context(**settings).new_page())
        tab.page.set_default_timeout(15_000)
        tabs.append(tab)
        return tab

    yield make
    complaints = [text for tab in tabs for text in tab.complaints]
    for tab in tabs:
        tab.page.context.close()
    assert complaints == []


@pytest.fixture
def tab(new_tab: Callable[..., Tab]) -> Tab:
    """A page in a window of usual size."""
    return new_tab()


@pytest.fixture
def theatre(tmp_path: Path) -> Iterator[Theatre]:
    """Open, with nothing on the stage yet."""
    built = Theatre(tmp_path)
    built.open()
    yield built
    built.close()
