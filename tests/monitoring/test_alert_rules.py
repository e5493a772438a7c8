"""Alert and recording rules: promtool accepts and tests them, their metrics exist, and each says what to do."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from live import ROOT
from prometheus_server import HOME, promtool
from promql import FROM_PROMETHEUS, RATES, daemon_page, kinds, parsed, selectors

RULES = sorted((HOME / "rules").glob("*.yml"))
DOCS = (ROOT / "docs" / "monitoring.md").read_text()
TESTS = sorted((HOME / "tests").glob("*.yml"))


def rules(word: str) -> list[dict[str, Any]]:
    """Every rule of a kind, `alert` or `record`."""
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if word in rule]


ALERTS = [pytest.param(rule, id=rule["alert"]) for rule in rules("alert")]
RECORDED = {rule["record"]: rule for rule in rules("record")}
KINDS = kinds(daemon_page()) | FROM_PROMETHEUS | dict.fromkeys(RECORDED, "gauge")
ALL = [*ALERTS, *(pytest.param(rule, id=name) for name, rule in RECORDED.items())]


@pytest.mark.prometheus
def test_promtool_accepts_the_configuration() -> None:
    """With every rule file that it names."""
    assert "SUCCESS: 2 rule files found" in promtool("check", "config", HOME / "prometheus.yml")


@pytest.mark.prometheus
@pytest.mark.parametrize("file", TESTS, ids=lambda path: path.stem)
def test_promtool_tests_pass(file: Any) -> None:
    """What fires in each case, when, and that nothing else does."""
    assert "SUCCESS" in promtool("test", "rules", file)


def test_every_alert_has_a_case() -> None:
    """In which it fires."""
    told = set(re.findall(r'alertname="(\w+)"', "".join(file.read_text() for file in TESTS)))

    assert told == {param.id for param in ALERTS}


@pytest.mark.parametrize("rule", ALL)
def test_rules_ask_for_series_that_exist(rule: dict[str, Any]) -> None:
    """Counters by their growth, everything of the job that prometheus.yml names, at least once in each expression."""
    asked = list(selectors(parsed(rule["expr"])))

    assert asked
    for selector, function in asked:
        assert selector.name in KINDS
        assert (KINDS[selector.name] == "counter") == (function in RATES)
    jobs = [matcher.value for selector, _ in asked for matcher in selector.matchers.matchers if matcher.name == "job"]
    assert set(jobs) == {"autoscaler"} or any(selector.name in RECORDED for selector, _ in asked)


@pytest.mark.parametrize("rule", ALERTS)
def test_alerts_say_what_to_do(rule: dict[str, Any]) -> None:
    """How urgent it is, a sentence for people, what it means, and a heading that is there."""
    page, _, heading = rule["annotations"]["runbook"].partition("#")
    titles = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)

    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["annotations"]["summary"].endswith((".", "}}."))
    assert rule["annotations"]["description"].endswith(".")
    assert heading in [title.lower().replace(" ", "-") for title in titles]


def test_docs_list_every_recorded_series() -> None:
    """docs/monitoring.md has a row for each, and no other."""
    assert set(re.findall(r"^\| `(\S+:\S+)`", DOCS, re.MULTILINE)) == set(RECORDED)


def test_docs_list_every_alert() -> None:
    """docs/monitoring.md has a row for each, with its severity and its heading, and no other."""
    rows = re.findall(r"^\| `(Auto\w+)` \| (\w+) \| \[.+\]\((.+)\) \|$", DOCS, re.MULTILINE)
    told = [(rule["alert"], rule["labels"]["severity"], rule["annotations"]["runbook"].removeprefix("docs/")) for rule in rules("alert")]

    assert rows == told
