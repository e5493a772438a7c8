"""The page against the real daemon, on a real Redis, Flower and workers: one story, as an operator would live it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from house import House, a_pool
from live import until
from playwright.sync_api import Page, expect
from tabs import Tab

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.timeout(180)]

TOKEN = "the-token-of-an-operator-who-types-it-in"
QUEUE = "<b>queue</b>"


@pytest.fixture
def house(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Two pools, one of them with a queue that is named like markup, and a token that may change things."""
    monkeypatch.setenv("CELERY_BROKER_URL", redis_url)
    built = House(tmp_path, redis_url)
    (tmp_path / "token").write_text(TOKEN)
    built.start_flower()
    write(built)
    built.start_daemon()
    yield built
    built.close()


def write(house: House, **changes: object) -> None:
    """Its config.yaml."""
    pools = {"mail": a_pool("mail", slots=2, most=4), "odd": a_pool(QUEUE)}
    api = {"listen": f"127.0.0.1:{house.port}", "token_file": str(house.folder / "token")}
    house.write(pools, **{"interval": "500ms", "api": api, **changes})


def card(page: Page, pool: str) -> object:
    """The card of a pool."""
    return page.locator("article.card").filter(has=page.get_by_role("heading", name=pool, exact=True))


def give(tab: Tab, button: str, choose: Callable[[Page], object] = lambda _: None) -> str:
    """Open an order, fill it in, take note of its command, and give it."""
    tab.page.get_by_role("button", name=button, exact=True).click()
    dialog = tab.page.get_by_role("dialog")
    choose(dialog)
    command = dialog.locator(".command").inner_text()
    dialog.locator("button[type=submit]").click()
    expect(dialog).to_have_count(0)
    return command


def test_an_operators_day(house: House, new_tab: Callable[..., Tab]) -> None:
    """Work comes and goes, a decision is explained, a pool is paused and resumed, a bad edit is refused, the daemon restarts."""
    tab = new_tab()
    tab.expected = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
    tab.page.goto(house.url)
    expect(card(tab.page, "mail").locator(".state")).to_have_text("at zero")
    expect(tab.page.locator("#live-words")).to_have_text(re.compile("^live, "))

    work_arrives(house, tab)
    a_decision_is_explained(tab)
    it_is_paused_and_resumed(house, tab)
    a_bad_edit_is_refused(house, tab)
    the_daemon_restarts(house, tab)


def work_arrives(house: House, tab: Tab) -> None:
    """Numbers follow without a question."""
    house.send("mail", 24, 1.5)
    expect(tab.page.locator(".vital[data-name=waiting] .number")).not_to_have_text("0")
    expect(card(tab.page, "mail").get_by_role("img")).to_have_attribute("aria-label", re.compile("4 starting|ready"))
    expect(card(tab.page, "mail").locator("dd").nth(2)).to_have_text(re.compile(r"[1-8]/8"), timeout=30_000)
    expect(tab.page.locator("#log")).to_contain_text(re.compile(r"mail 0 → 4: \d+ waiting"))
    tab.shot("live-overview")


def a_decision_is_explained(tab: Tab) -> None:
    """The one that started the workers, picked from the past."""
    tab.page.get_by_role("link", name="mail", exact=True).first.click()
    tab.page.get_by_role("button", name=re.compile(r"0 → 4")).last.click()
    expect(tab.page.locator(".waterfall")).to_contain_text("from 0 to 4")
    expect(tab.page.locator(".waterfall .step").first).to_contain_text("backlog above threshold")
    expect(tab.page.locator("table.workers tbody tr")).to_have_count(4)
    expect(tab.page.locator("table.workers")).to_contain_text("2 of 2 running")
    tab.shot("live-pool")


def it_is_paused_and_resumed(house: House, tab: Tab) -> None:
    """With the token typed in once; the order is in force, on the page, and gone again."""
    command = give(tab, "Pause …", lambda dialog: (dialog.get_by_label("Token").fill(TOKEN), dialog.get_by_label("Why").fill("the move")))
    assert command == "autoscaler pause mail --why 'the move'"
    expect(tab.page.locator("#notices")).to_contain_text(re.compile(r"mail is paused until it is resumed \(by .*, “the move”\)"))
    house.until_done(24, 60)
    until(lambda: house.pool("mail")["reason"] == "Paused")
    assert house.pool("mail")["current"] == 4

    give(tab, "Resume")
    expect(tab.page.locator("#notices")).to_contain_text("All is well")
    expect(tab.page.locator(".detail .state")).to_have_text(re.compile("scaling down|at zero"), timeout=30_000)
    assert tab.page.evaluate("Object.values(sessionStorage)") == [TOKEN]
    assert tab.page.context.cookies() == []


def a_bad_edit_is_refused(house: House, tab: Tab) -> None:
    """With its line, while the old settings go on; and gone when it is mended."""
    write(house, log={"level": "loud"})
    expect(tab.page.locator("#notices")).to_contain_text(re.compile(r"config\.yaml was refused.*config\.yaml:\d+:\d+: log\.level"))
    write(house)
    expect(tab.page.locator("#notices")).to_contain_text("All is well")


def the_daemon_restarts(house: House, tab: Tab) -> None:
    """The page says that it is gone, finds the next one by itself, and knows the past."""
    house.kill_daemon()
    expect(tab.page.locator("#notices")).to_contain_text("No connection to the daemon")
    house.start_daemon()
    expect(tab.page.locator("#live-words")).to_have_text(re.compile("^live, "), timeout=30_000)
    tab.page.get_by_role("link", name="← All pools").click()
    expect(tab.page.locator("#log")).to_contain_text("paused")
    expect(tab.page.locator("#log")).to_contain_text(re.compile(r"mail 0 → 4"))


def test_it_looks_well(house: House, new_tab: Callable[..., Tab]) -> None:
    """Pictures for people, in both themes and on a phone, kept as artefacts of the run."""
    house.send("mail", 30, 1.0)
    house.send(QUEUE, 2, 1.0)
    until(lambda: (house.pool("mail")["busy"] or 0) > 3, 30)
    sizes = {"light": (1440, 1000), "dark": (1440, 1000), "mobile": (360, 780)}
    for name, (width, height) in sizes.items():
        scheme = "dark" if name == "dark" else "light"
        tab = new_tab(viewport={"width": width, "height": height}, color_scheme=scheme)
        for place in ("", "#/pools/mail"):
            tab.page.goto(f"{house.url}/{place}")
            expect(tab.page.locator(".charts canvas" if place else "#log li").first).to_be_visible()
            tab.shot(f"{name}-{'pool' if place else 'overview'}")
