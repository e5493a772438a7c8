"""A page as the tests hold it: what it shows, and everything that it complained about."""

from __future__ import annotations

from playwright.sync_api import Page
from theatre import ROOT

ARTEFACTS = ROOT / "test-artifacts" / "browser"


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
