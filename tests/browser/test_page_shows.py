"""What the page shows of what the daemon tells, in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from tabs import Tab
from telling import AN_ACCOUNT, a_decision, a_meter, a_source, a_step, a_view
from theatre import Theatre, a_pool, a_tick

from autoscaler.model import Known, Memory, QueueSight
from autoscaler.policy.meter import day_name
from autoscaler.report.snapshot import ConfigState

pytestmark = pytest.mark.browser

BUSY = a_pool("mail", waiting=12, ready=5, busy=17, starting=2, draining=1)
SCRIPT = "<script>document.title='owned'"
IMAGE = "<img src=x onerror=\"document.title='owned'\">"


def card(page: Page, pool: str) -> object:
    """The card of a pool."""
    return page.locator("article.card").filter(has=page.get_by_role("heading", name=pool, exact=True))


def test_a_pool_is_told(theatre: Theatre, tab: Tab) -> None:
    """Its replicas by phase, its numbers and the sentence of its last decision."""
    theatre.show(a_tick(BUSY, a_pool("video")))
    tab.page.goto(theatre.url)
    mail = card(tab.page, "mail")

    expect(mail).to_contain_text("7 → 8: 12 waiting + 17 busy of 20 slots: needs 8 of 4 slots each")
    expect(mail.get_by_role("img")).to_have_attribute("aria-label", "5 ready, 2 starting, 1 draining; 8 wanted, 0 to 10 replicas allowed")
    expect(mail).to_contain_text("7 of 8 wanted · 0 to 10 allowed")
    expect(mail.locator("dl")).to_contain_text("17/28")
    expect(mail.locator(".state")).to_have_text("scaling up")
    expect(card(tab.page, "video").locator(".state")).to_have_text("at zero")
    expect(tab.page.locator("#vitals")).to_contain_text("12")


def test_numbers_are_live(theatre: Theatre, tab: Tab) -> None:
    """The next tick is on the page without a question."""
    theatre.show(a_tick(a_pool(waiting=3)))
    tab.page.goto(theatre.url)
    expect(card(tab.page, "mail").locator("dd").first).to_have_text("3")
    theatre.show(a_tick(a_pool(waiting=41)))

    expect(card(tab.page, "mail").locator("dd").first).to_have_text("41")
    expect(tab.page).to_have_title("41 waiting autoscaler")
    expect(tab.page.locator("#live-words")).to_have_text(re.compile("^live, "))


LATE_BODIES = """const json = Response.prototype.json;
Response.prototype.json = async function () { await new Promise((on) => setTimeout(on, 1000)); return json.call(this); };"""


def test_an_answer_that_comes_late_takes_nothing_back(theatre: Theatre, tab: Tab) -> None:
    """The first status is asked for beside the stream, which may have told of later ticks by the time it is there."""
    theatre.show(a_tick(a_pool("mail", waiting=1)))
    tab.page.add_init_script(LATE_BODIES)
    tab.page.goto(theatre.url)
    expect(card(tab.page, "mail").locator("dd").first).to_have_text("1")
    theatre.show(a_tick(a_pool("mail", waiting=2)))
    expect(card(tab.page, "mail").locator("dd").first).to_have_text("2")
    tab.page.wait_for_timeout(1200)

    expect(card(tab.page, "mail").locator("dd").first).to_have_text("2")


def test_a_pool_named_like_a_script_stays_text(theatre: Theatre, tab: Tab) -> None:
    """As do queues, reasons and errors: in the card, in the address, in the detail, in the events."""
    step = a_step(0, 2, because=f"asked by {IMAGE}")
    view = a_view(SCRIPT, queues=(QueueSight(IMAGE, Known(1, time.time(), "flower")),), blind=(f"queue {IMAGE}: unseen",))
    theatre.show(a_tick(a_decision(SCRIPT, step, view=view), sources=(a_source(up=False, detail=IMAGE),)))
    tab.page.goto(theatre.url)

    expect(tab.page.get_by_role("heading", name=SCRIPT)).to_be_visible()
    expect(tab.page.locator("#log")).to_contain_text(IMAGE)
    tab.page.get_by_role("heading", name=SCRIPT).get_by_role("link").click()
    expect(tab.page.get_by_role("heading", level=1, name=SCRIPT)).to_be_visible()
    expect(tab.page.locator(".waterfall")).to_contain_text(f"asked by {IMAGE}")
    assert tab.page.evaluate("[document.scripts.length, document.images.length]") == [1, 0]
    assert "owned" not in tab.page.title()


REFUSED = ConfigState("h", 0, ("config.yaml:3:5: pools.mail.queus: unknown key", "config.yaml:9:1: pools.x: is empty"))
TROUBLE = (
    ({"config": REFUSED}, "stays in force: config.yaml:3:5: pools.mail.queus: unknown key"),
    ({"config": REFUSED}, "also in config.yaml: config.yaml:9:1: pools.x: is empty"),
    ({"dry_run": True}, "Dry run: everything is decided and reported, nothing is started or stopped"),
    ({"sources": (a_source(up=False, detail="Flower refuses API access"),)}, "flower: Flower refuses API access"),
    ({}, "All is well: 1 pool, everything seen"),
)


def test_what_needs_attention_stands_on_top(theatre: Theatre, tab: Tab) -> None:
    """In the daemon's words, and gone when it is over."""
    theatre.show(a_tick(a_pool()))
    tab.page.goto(theatre.url)
    for changes, words in TROUBLE:
        theatre.show(a_tick(a_pool(), **changes))
        expect(tab.page.locator("#notices")).to_contain_text(words)


def test_what_a_broker_costs_is_told(theatre: Theatre, tab: Tab) -> None:
    """The share of its budget, when that is gone, who uses it, and what an idle worker would add."""
    now = time.time()
    shown = a_tick(a_pool())
    account = replace(AN_ACCOUNT, ends_at=now + 50_000.0, runs_out_at=now + 7_205.0)
    memory = Memory(meters={"primary": a_meter(day=replace(a_meter().day, name=day_name(now)))})
    record = replace(shown.record, decision=replace(shown.record.decision, books={"primary": account}))
    theatre.show(replace(shown, record=record, memory=memory))
    tab.page.goto(theatre.url)
    primary, fallback = (tab.page.get_by_role("region", name=f"Broker {name}") for name in ("primary", "fallback"))

    expect(primary.get_by_role("progressbar")).to_have_attribute("value", "0.84")
    for words in ("budget10,000 a day", "used84 %", "by the end126 %", "runs outin 2 h", "today8,400", "idle workers4,000"):
        expect(primary).to_contain_text(words)
    expect(primary).to_contain_text("106/min usually")
    expect(fallback.get_by_role("progressbar")).to_be_hidden()
    tab.shot("broker")


def test_what_nobody_saw_is_a_dash(theatre: Theatre, tab: Tab) -> None:
    """Blind is said, and no zero stands where nobody looked."""
    theatre.show(a_tick(a_pool(waiting=None, ready=1)))
    tab.page.goto(theatre.url)

    expect(card(tab.page, "mail").locator("dd").first).to_have_text("–")
    expect(card(tab.page, "mail").locator(".state")).to_have_text("blind")
    expect(tab.page.locator("#notices")).to_contain_text("mail is blind and will not be scaled down: queue mail: Flower does not list it")
    expect(tab.page.locator(".vital[data-name=waiting]")).to_contain_text("–")


def test_old_data_is_said_to_be_old(theatre: Theatre, tab: Tab) -> None:
    """The connection lives and the loop does not: the page says so by itself, and so does the tab."""
    theatre.show(a_tick(a_pool(), at=time.time() - 40))
    tab.page.goto(theatre.url)

    expect(tab.page.locator("#notices")).to_contain_text(re.compile(r"has not finished a tick for 4\d s: what you see is that old"))
    expect(tab.page.locator("#live-words")).to_have_text(re.compile(r"old: 4\d s ago"))
    expect(tab.page).to_have_title("(1!) autoscaler")


def test_it_comes_back_after_a_restart(theatre: Theatre, tab: Tab) -> None:
    """It says that the connection is lost, tries again, and goes on where the new daemon is."""
    tab.expected = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
    theatre.show(a_tick(a_pool(waiting=3)))
    tab.page.goto(theatre.url)
    expect(tab.page.locator("#live-words")).to_have_text(re.compile("^live"))
    theatre.shut()
    expect(tab.page.locator("#notices")).to_contain_text("No connection to the daemon")

    again = Theatre(theatre.journal._path.parent / "again")
    again.port, again.url = theatre.port, theatre.url
    again.show(a_tick(a_pool(waiting=77)))
    again.open()
    expect(card(tab.page, "mail").locator("dd").first).to_have_text("77")
    expect(tab.page.locator("#notices")).to_contain_text("All is well")
    again.close()


def test_every_past_decision_can_be_explained(theatre: Theatre, tab: Tab) -> None:
    """The latest at first, any other by a click or a key; each step from where to where and why."""
    theatre.show(a_tick(a_pool(waiting=12), at=time.time() - 30))
    theatre.show(a_tick(a_pool(ready=3)))
    tab.page.goto(f"{theatre.url}/#/pools/mail")
    steps = tab.page.locator(".waterfall .step")

    final = re.compile(r"final\s*3")
    expect(steps).to_have_text([re.compile(r"demand\s*3 → 0.*no demand 0 waiting"), re.compile(r"stabilization\s*0 → 3"), final])
    tab.page.get_by_role("button", name=re.compile("12 waiting")).press("Enter")
    expect(steps).to_have_text([re.compile(r"demand\s*0 → 3.*backlog above threshold 12 waiting"), final])


def test_a_hold_says_when_it_ends(theatre: Theatre, tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the count that comes then, counted down."""
    monkeypatch.setattr("autoscaler.web.status.next_changes", lambda *_: {"mail": {"to": 1, "at": time.time() + 30}})
    theatre.show(a_tick(a_pool(ready=3)))
    tab.page.goto(theatre.url)

    expect(card(tab.page, "mail").locator(".hold")).to_have_text(re.compile(r"held: scale down stabilized · down to 1 in 2\d s"))


def test_a_thousand_workers_are_listed_on_demand(theatre: Theatre, tab: Tab) -> None:
    """A hundred at first, those that need attention in front."""
    theatre.show(a_tick(a_pool(ready=1000, busy=2000, lost=1)))
    tab.page.goto(f"{theatre.url}/#/pools/mail")
    rows = tab.page.locator("table.workers tbody tr")

    expect(rows).to_have_count(100)
    expect(rows.first).to_contain_text("lost")
    tab.page.get_by_role("button", name="Show all 1,001").click()
    expect(rows).to_have_count(1001)


def test_many_pools_are_found_and_ordered(theatre: Theatre, tab: Tab) -> None:
    """By a part of a name or a queue, and by what needs attention."""
    theatre.show(a_tick(*(a_pool(f"pool-{i}", waiting=i) for i in range(9)), a_pool("blind-one", waiting=None)))
    tab.page.goto(theatre.url)
    names = tab.page.locator("article.card h3")
    tab.page.locator("#pool-order").select_option("attention first")
    expect(names.first).to_have_text("blind-one")
    tab.page.locator("#pool-order").select_option("most waiting")
    expect(names.nth(1)).to_have_text("pool-8")
    tab.page.locator("#pool-filter").fill("ool-3")

    expect(names).to_have_text(["pool-3"])


def test_pools_out_of_sight_are_true(theatre: Theatre, tab: Tab) -> None:
    """They are drawn after those on the screen, and follow every tick all the same: a screen reader or a search may be there."""
    names = [f"pool-{i:02d}" for i in range(60)]
    tab.page.add_init_script(SHIFTS)
    theatre.show(a_tick(*(a_pool(name, waiting=1) for name in names)))
    tab.page.goto(theatre.url)
    expect(card(tab.page, names[-1]).locator("dd").first).to_have_text("1")
    theatre.show(a_tick(*(a_pool(name, waiting=2) for name in names)))

    expect(card(tab.page, names[-1]).locator("dd").first).to_have_text("2")
    assert tab.page.locator("article.card dl").count() == 60
    assert tab.page.evaluate("window.shifts") < 0.02


def test_events_are_filtered(theatre: Theatre, tab: Tab) -> None:
    """By kind and by words."""
    theatre.show(a_tick(a_pool("mail", waiting=12), a_pool("video", ready=2)))
    tab.page.goto(theatre.url)
    lines = tab.page.locator("#log li")
    expect(lines).to_have_count(2)
    tab.page.locator("#log-kind").select_option("changes of a count")
    expect(lines).to_have_text([re.compile("mail 0 → 3")])
    tab.page.locator("#log-kind").select_option("everything")
    tab.page.locator("#log-filter").fill("video")

    expect(lines).to_have_text([re.compile("video held at 2")])


# ---------------------------------------------------------------- everybody, everywhere


@pytest.mark.parametrize("place", ["", "#/pools/mail"], ids=["overview", "pool"])
def test_it_fits_every_window(theatre: Theatre, tab: Tab, place: str) -> None:
    """Nothing sticks out to the side from a phone to a wall."""
    theatre.show(a_tick(BUSY, a_pool("a-rather-long-name-of-a-pool-as-people-give-them", waiting=None), a_pool("video", ready=2)))
    tab.page.goto(f"{theatre.url}/{place}")
    expect(tab.page.locator(".charts canvas" if place else "#log li").first).to_be_visible()
    for width in (360, 768, 1280, 3840):
        tab.page.set_viewport_size({"width": width, "height": 900})
        expect(tab.page.locator("main")).to_be_visible()
        assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", ["", "#/pools/mail"], ids=["overview", "pool"])
def test_it_keeps_the_rules_of_accessibility(theatre: Theatre, new_tab: Callable[..., Tab], scheme: str, place: str) -> None:
    """Names, roles, landmarks, contrast: none of axe's rules is broken, in either theme."""
    tab = new_tab(color_scheme=scheme, bypass_csp=True)
    config = ConfigState("h", time.time(), ("config.yaml:3:5: no",))
    theatre.show(a_tick(BUSY, a_pool("blind", waiting=None), a_pool("held", ready=3, lost=1), config=config, dry_run=True))
    tab.page.goto(f"{theatre.url}/{place}")
    expect(tab.page.locator(".charts canvas" if place else "#log li").first).to_be_visible()
    found = Axe().run(tab.page).response["violations"]

    assert [(rule["id"], [node["html"][:120] for node in rule["nodes"][:3]]) for rule in found] == []


def test_it_can_be_used_with_the_keyboard(theatre: Theatre, tab: Tab) -> None:
    """To the pools, into one, and back; the focus goes along."""
    theatre.show(a_tick(BUSY))
    tab.page.goto(theatre.url)
    expect(card(tab.page, "mail")).to_be_visible()
    tab.page.keyboard.press("Tab")
    expect(tab.page.get_by_role("link", name="To the pools")).to_be_focused()
    tab.page.keyboard.press("Enter")
    tab.page.keyboard.press("Tab")
    expect(card(tab.page, "mail").get_by_role("link")).to_be_focused()
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("heading", level=1, name="mail")).to_be_focused()
    tab.page.keyboard.press("Tab")
    tab.page.get_by_role("link", name="← All pools").press("Enter")

    expect(card(tab.page, "mail").get_by_role("link")).to_be_focused()


SHIFTS = """window.shifts = 0; new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.shifts += entry.value; }).observe({ type: "layout-shift", buffered: true });
const sheet = new CSSStyleSheet(); sheet.replaceSync("#log { visibility: hidden }");
addEventListener("DOMContentLoaded", () => { document.adoptedStyleSheets = [sheet]; });"""
"""How far things moved that nobody moved; the log is hidden, for a new line on top moves the others by right."""


def test_nothing_jumps(theatre: Theatre, tab: Tab) -> None:
    """Neither while it loads nor when numbers, phases and sentences change."""
    theatre.show(a_tick(a_pool("mail", waiting=0), a_pool("video", ready=2)))
    tab.page.add_init_script(SHIFTS)
    tab.page.goto(theatre.url)
    for waiting in (1, 12_345):
        theatre.show(a_tick(a_pool("mail", waiting=waiting, ready=waiting % 7, busy=4, starting=2, draining=3), a_pool("video")))
        expect(card(tab.page, "mail").locator("dd").first).to_have_text({1: "1", 12_345: "12.3K"}[waiting])
    tab.page.wait_for_timeout(300)

    assert tab.page.evaluate("window.shifts") < 0.02  # browsers call a page stable below 0.1


def test_the_theme_can_be_chosen(theatre: Theatre, tab: Tab) -> None:
    """It follows the system, or what was clicked, also after a reload."""
    theatre.show(a_tick(BUSY))
    tab.page.goto(theatre.url)
    tab.page.get_by_role("button", name="Theme: auto").click()
    tab.page.get_by_role("button", name="Theme: light").click()
    tab.page.reload()

    expect(tab.page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(12, 16, 19)"


def test_screen_readers_hear_what_needs_attention(theatre: Theatre, tab: Tab) -> None:
    """And not every number: the same trouble a second later is not said again."""
    theatre.show(a_tick(a_pool(waiting=1)))
    tab.page.goto(theatre.url)
    said = tab.page.locator("#said")
    expect(said).to_have_text("all is well")
    theatre.show(replace(a_tick(a_pool(waiting=2)), journal_errors=3))
    expect(said).to_have_text(re.compile("1 thing needs attention: the journal lost"))
