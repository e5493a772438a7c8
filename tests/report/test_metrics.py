"""The /metrics page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain
from telling import (
    NOW,
    a_bad_end,
    a_decision,
    a_failover,
    a_meter,
    a_record,
    a_replica,
    a_snapshot,
    a_source,
    a_step,
    a_view,
    an_action,
    an_outcome,
)

from autoscaler.model import ActionKind, Memory, Order, OrderKind, Phase, Record, Result
from autoscaler.policy.reasons import Reason
from autoscaler.report.metrics import MOST_ROUTES, Metrics
from autoscaler.report.snapshot import ConfigState, Snapshot

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
THREE = (a_replica(running=3), a_replica("a-browser-2", Phase.STARTING), a_replica("a-browser-3", Phase.DRAINING))
BUSY = a_view(waiting=7, replicas=THREE)
CUT = (a_step(2, 9), a_step(9, 5, rule="max_step", reason="ScaleUpLimit"))


class Page:
    """A /metrics page that follows records like the daemon does."""

    def __init__(self, *pools: str) -> None:
        self.snapshot: Snapshot | None = a_snapshot(None, *(pools or ("browser",)))
        self.metrics = Metrics(lambda: self.snapshot)

    def tell(self, record: Record, memory: Memory | None = None, **changes) -> Page:
        """One tick."""
        self.snapshot = a_snapshot(record, memory=memory or Memory(), **changes)
        self.metrics.record(record, memory or Memory())
        return self

    def families(self, accept: str = "") -> list[Metric]:
        """The parsed page."""
        return list(parse_plain(self.metrics.render(accept)[0].decode()))

    def samples(self) -> dict[str, float]:
        """name{label=value,...} -> value, labels in alphabetical order."""
        return {
            f"{s.name.removeprefix('autoscaler_')}{{{','.join(f'{k}={v}' for k, v in sorted(s.labels.items()))}}}": s.value
            for family in self.families()
            for s in family.samples
        }

    def value(self, name: str) -> float | None:
        """One sample, None where it is absent."""
        return self.samples().get(name if "{" in name else f"{name}{{}}")


@pytest.mark.parametrize(
    ("sample", "value"),
    [
        ("pool_backlog_tasks{pool=browser}", 7),
        ("queue_backlog_tasks{pool=browser,queue=browser}", 7),
        ("pool_busy_slots{pool=browser}", 3),
        ("pool_slots{pool=browser}", 8),
        ("replicas{phase=ready,pool=browser}", 1),
        ("replicas{phase=draining,pool=browser}", 1),
        ("replicas{phase=lost,pool=browser}", 0),
        ("replicas_desired{pool=browser}", 5),
        ("replicas_recommended{pool=browser}", 9),
        ("replicas_min{pool=browser}", 0),
        ("replicas_max{pool=browser}", 10),
        ("pool_blind{pool=browser}", 0),
        ("pool_paused{pool=browser}", 0),
        ("scaling_limited{pool=browser,reason=ScaleUpLimit}", 1),
        ("scaling_limited{pool=browser,reason=CoolingDown}", 0),
        ("last_tick_timestamp_seconds", NOW),
        ("interval_seconds", 2.0),
        ("source_up{source=flower}", 1),
        ("broker_up{broker=primary}", 0),
        ("broker_active{broker=primary}", 1),
        ("broker_active{broker=fallback}", 0),
        ("broker_commands_total{broker=primary,by=autoscaler}", 42),
        ("broker_commands_total{broker=primary,by=idle}", 77_000),
        ("broker_commands_total{broker=fallback,by=flower}", 0),
        ("broker_commands_per_second{broker=primary,by=autoscaler}", 0.5),
        ("broker_budget_used_ratio{broker=primary}", 0.84),
        ("config_last_reload_successful", 1),
        ("config_last_reload_success_timestamp_seconds", NOW - 3600),
        ("config_info{hash=0123456789ab}", 1),
        ("journal_write_errors_total", 3),
    ],
)
def test_gauges_tell_the_snapshot(sample: str, value: float) -> None:
    """Each gauge has the number of the latest record."""
    record = a_failover(a_record(a_decision("browser", *CUT, view=BUSY), sources=(a_source(), a_source("broker:primary", up=False))))
    memory = Memory(meters={"primary": a_meter()})

    assert Page().tell(record, active_broker="primary", journal_errors=3, memory=memory).value(sample) == value


def test_an_unseen_queue_has_no_sample() -> None:
    """Absent, not 0: a false zero would look like an empty queue."""
    page = Page().tell(a_record(a_decision(view=a_view(waiting=None))))

    assert page.value("pool_backlog_tasks{pool=browser}") is None
    assert page.value("queue_backlog_tasks{pool=browser,queue=browser}") is None
    assert page.value("pool_wait_seconds{pool=browser}") is None
    assert page.value("pool_blind{pool=browser}") == 1


def test_a_silent_replica_leaves_busy_slots_out() -> None:
    """What runs on it is not known, so neither is the sum."""
    page = Page().tell(a_record(a_decision(view=a_view(replicas=(a_replica(running=None),)))))

    assert page.value("pool_busy_slots{pool=browser}") is None


def test_an_unseen_fleet_leaves_replicas_out() -> None:
    """While the engine does not answer, nobody knows how many there are."""
    page = Page().tell(a_record(a_decision(view=a_view(fleet_seen=False))))

    assert page.value("replicas{phase=ready,pool=browser}") is None
    assert page.value("pool_slots{pool=browser}") is None


def test_a_paused_pool_shows() -> None:
    """1 while somebody holds the pool; a count that was set by hand is another thing."""
    orders = [Order(kind, "browser", NOW, "anna") for kind in (OrderKind.PAUSE, OrderKind.SCALE)]
    paused = [Page().tell(a_record(a_decision(view=a_view(orders=(order,))))).value("pool_paused{pool=browser}") for order in orders]

    assert paused == [1, 0]


def test_a_refused_configuration_shows() -> None:
    """The alert on a refused edit needs the 0."""
    page = Page()
    page.snapshot = a_snapshot(config=ConfigState("0123456789ab", NOW, problems=("config.yaml:1:1: no",)))

    assert page.value("config_last_reload_successful") == 0


def test_counters_begin_at_zero() -> None:
    """Before the first tick every counter of a configured pool exists, or increase() would miss the first event."""
    zeros = Page("browser", "reports").samples()

    assert zeros["decisions_total{direction=up,pool=reports,reason=BacklogAboveThreshold}"] == 0
    assert zeros["actions_total{action=kill,outcome=failed,pool=browser}"] == 0
    assert zeros["worker_failures_total{pool=browser,reason=oom}"] == 0
    assert zeros["tasks_interrupted_total{pool=reports}"] == 0
    assert zeros["worker_start_seconds_count{pool=browser}"] == 0


def test_events_are_counted() -> None:
    """One record with a decision, an ended action, a failure and an interrupted task."""
    outcomes = (
        an_outcome(ActionKind.START, Result.FAILED),
        an_outcome(ActionKind.START, Result.PENDING),
        an_outcome(ActionKind.KILL, replica="a-browser-1"),
        an_outcome(ActionKind.REMOVE, replica="a-browser-9", exit=a_bad_end(oom=True)),
    )
    page = Page().tell(a_record(a_decision("browser", *CUT, view=BUSY, actions=(an_action(),)), outcomes=outcomes))

    samples = page.samples()
    assert samples["decisions_total{direction=up,pool=browser,reason=ScaleUpLimit}"] == 1
    assert samples["actions_total{action=start,outcome=failed,pool=browser}"] == 1
    assert not any("pending" in name for name in samples)
    assert samples["worker_failures_total{pool=browser,reason=start_refused}"] == 1
    assert samples["worker_failures_total{pool=browser,reason=oom}"] == 1
    assert samples["tasks_interrupted_total{pool=browser}"] == 3


def test_looks_are_counted_by_source() -> None:
    """How often a source was asked, how it went, and how long it took."""
    page = Page().tell(a_record()).tell(a_record(sources=(a_source(up=False),)))

    samples = page.samples()
    assert samples["source_requests_total{outcome=success,source=flower}"] == 1
    assert samples["source_requests_total{outcome=error,source=flower}"] == 1
    assert samples["source_request_seconds_count{source=flower}"] == 2


def test_a_removed_pool_leaves_no_series() -> None:
    """Its counters go with it; those of the others stay."""
    page = Page("browser", "reports").tell(a_record(a_decision("browser"), a_decision("reports", view=a_view("reports"))))
    page.tell(a_record(a_decision("reports", view=a_view("reports"))))

    names = page.samples()
    assert not [name for name in names if "pool=browser" in name]
    assert names["decisions_total{direction=none,pool=reports,reason=NoDemand}"] == 2


def test_strange_requests_make_no_new_series() -> None:
    """Methods and routes of an attacker end up in one bucket."""
    page = Page()
    for i in range(3 * MOST_ROUTES):
        page.metrics.count_request(f"/{i}", f"METHOD{i}", 404)

    routes = {s.labels["route"] for f in page.families() for s in f.samples if "route" in s.labels}
    assert len(routes) == MOST_ROUTES + 1
    assert {s.labels["method"] for f in page.families() for s in f.samples if "method" in s.labels} == {"other"}


def test_no_label_value_comes_from_outside() -> None:
    """Reasons, queues, workers and error texts that nobody configured never become labels."""
    strange = a_step(0, 1, reason="ReasonFromOutside", because="because from outside")
    view = a_view(replicas=(a_replica("worker-from-outside"),))
    record = a_record(a_decision("browser", strange, view=view), sources=(a_source(detail="detail from outside"),))
    labels = {value for f in Page().tell(record).families() for s in f.samples for value in s.labels.values()}

    assert not [value for value in labels if "outside" in value]


def test_a_page_of_many_pools_stays_small() -> None:
    """The series per pool are a constant."""

    def series(pools: int) -> int:
        names = [f"p{i}" for i in range(pools)]
        page = Page(*names).tell(a_record(*(a_decision(n, view=a_view(n)) for n in names)))
        return sum(len(family.samples) for family in page.families())

    one, two, ten = series(1), series(2), series(10)
    assert ten - one == 9 * (two - one)
    assert two - one < 260


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain; version=strange", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
def test_the_scraper_chooses_the_format(accept: str, content_type: str) -> None:
    """Plain text unless OpenMetrics is asked for; nonsense asks for nothing special."""
    assert Page().metrics.render(accept)[1].startswith(content_type)


def test_openmetrics_is_valid_and_without_created() -> None:
    """The strict parser accepts the page; creation times of series are left out, they double it for nothing."""
    page = Page().tell(a_record(a_decision("browser", *CUT, view=BUSY)))
    text = page.metrics.render("application/openmetrics-text; version=1.0.0")[0].decode()

    assert list(parse_openmetrics(text))
    assert "_created" not in text


def test_ticks_are_timed() -> None:
    """The daemon says how long a tick took."""
    page = Page()
    page.metrics.observe_tick(0.3)

    assert page.value("tick_seconds_count") == 1
    assert page.value("tick_seconds_bucket{le=0.25}") == 0
    assert page.value("tick_seconds_bucket{le=0.5}") == 1


def test_before_anything_is_known_the_page_is_there() -> None:
    """A scrape during the start is answered."""
    page = Page()
    page.snapshot = None

    assert page.value("pool_slots{pool=browser}") is None
    assert any(f.name == "autoscaler_build_info" for f in page.families())


# ---------------------------------------------------------------- documentation


def exposed(families: Iterable[Metric]) -> set[str]:
    """Names as they are queried: counters with their `_total`."""
    return {f"{f.name}_total" if f.type == "counter" else f.name for f in families}


def documented() -> dict[str, tuple[str, set[str]]]:
    """Type and labels by the name in the first column of the tables, without those of a worker's page."""
    rows = [line.split("|")[1:4] for line in DOCS.read_text().split("## A worker's own page")[0].splitlines() if line.startswith("| `")]
    table = {re.findall(r"`([a-z_]+)`", name)[0]: (kind, labels) for name, kind, labels in rows if re.search(r"`[a-z]+_[a-z_]+`", name)}
    return {name: (kind.split()[0], set(re.findall(r"[a-z_]+", labels))) for name, (kind, labels) in table.items()}


def test_a_broker_without_a_budget_has_no_ratio() -> None:
    """Absent, not 0: nothing says how much would be all of it."""
    assert Page().tell(a_failover()).value("broker_budget_used_ratio{broker=fallback}") is None


def test_a_failover_is_counted_once() -> None:
    """The tick in which another broker takes over counts for that one; the ticks after it do not."""
    page = Page().tell(a_failover()).tell(a_failover(just_now=False))

    assert 1 == page.value("broker_failovers_total{broker=fallback}")
    assert 0 == page.value("broker_failovers_total{broker=primary}")


def test_docs_list_every_family_and_no_other() -> None:
    """docs/metrics.md and the page name the same families, both ways."""
    page = Page().tell(a_record(a_decision("browser", *CUT, view=BUSY)), active_broker="primary")

    assert set(documented()) == exposed(page.families())


def test_docs_tell_types_and_labels() -> None:
    """As they are on the page, for every family that has a sample there."""
    page = Page().tell(a_failover(a_record(a_decision("browser", *CUT, view=BUSY))), active_broker="primary")
    page.metrics.count_request("/metrics", "GET", 200)
    told = documented()

    for family in [family for family in page.families() if family.samples]:
        kind, labels = told[f"{family.name}_total" if family.type == "counter" else family.name]
        assert (family.type, {*family.samples[0].labels} - {"le"}) == (kind, labels), family.name


def test_docs_name_every_reason_that_may_limit() -> None:
    """Each value of `reason` in scaling_limited is explained."""
    text = DOCS.read_text()
    samples = Page().tell(a_record(a_decision("browser", *CUT, view=BUSY))).samples()
    limits = {match[1] for name in samples if (match := re.fullmatch(r"scaling_limited\{.*reason=(\w+)\}", name))}

    assert limits
    assert limits <= set(Reason)
    assert not {reason for reason in limits if f"`{reason}`" not in text}
