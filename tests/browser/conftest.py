"""A browser for the module, and for each test a page that must not complain."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from theatre import ROOT, Theatre

ARTEFACTS = ROOT / "test-artifacts" / "browser"
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


class Tab:
    """One page, and everything that it complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        self.expected: tuple[str, ...] = ()
        """Complaints that belong to the test, by a part of their text."""
        page.on("console", lambda message: message.type in ("error", "warning") and self.problems.append(message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    @property
    def complaints(self) -> list[str]:
        """Those that nobody expected."""
        return [text for text in self.problems if not any(part in text for part in self.expected)]

    def shot(self, name: str, *, whole: bool = True) -> None:
        """Keep a picture of how it looks now."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=whole, animations="disabled")


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
