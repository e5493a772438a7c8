"""The status in numbers and in words."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from telling import NOW, UNSEEN, a_decision, a_failover, a_meter, a_record, a_replica, a_snapshot, a_source, a_step, a_view

from autoscaler.model import (
    Container,
    ContainerState,
    Drain,
    Flow,
    Known,
    Memory,
    Observation,
    Phase,
    Policies,
    PoolMemory,
    PoolPolicy,
    QueueSight,
    Record,
    Stale,
    TargetWait,
    WorkerSight,
)
from autoscaler.policy.decide import decide
from autoscaler.report.plain import to_plain
from autoscaler.report.snapshot import ConfigState, Snapshot
from autoscaler.web.status import pool_detail, pool_status, status, trouble

DOCS = Path(__file__).parents[2] / "docs" / "http-api.md"
WORKERS = (a_replica(running=3, reserved=1), a_replica("a-browser-2", Phase.STARTING), a_replica("a-browser-3", Phase.DRAINING))
BUSY = a_decision("browser", a_step(2, 4, because="7 waiting"), view=a_view(waiting=7, replicas=WORKERS))


def told(snapshot: Snapshot, pool: str = "browser") -> dict:
    """The status of one pool, which exists."""
    found = pool_status(snapshot, pool, NOW + 1)
    assert found is not None
    return found


def test_a_pool_tells_its_numbers() -> None:
    """What waits, who works, what is wanted and why."""
    pool = told(a_snapshot(a_record(BUSY)))

    assert (pool["backlog"], pool["busy"], pool["slots"]) == (7, 4, 8)
    assert (pool["current"], pool["desired"], pool["min"], pool["max"]) == (2, 4, 0, 10)
    assert pool["replicas"] == {"starting": 1, "ready": 1, "draining": 1, "stopping": 0, "lost": 0, "foreign": 0}
    known = {"waiting": 7, "kind": "known", "why": "", "age_seconds": 2.0, "later": 0, "due_in_seconds": None}
    assert pool["queues"] == [{"queue": "browser", **known}]
    assert pool["why"].startswith("browser 2 -> 4: 7 waiting")


def test_workers_are_listed() -> None:
    """Each with its phase, its age and what it holds."""
    first = told(a_snapshot(a_record(BUSY)))["workers"][0]

    held = {"running": 3, "reserved": 1, "scheduled": 0, "slots": 4, "outdated": False}
    assert first == {"name": "a-browser-1", "phase": "ready", **held, "broker": "", "age_seconds": 61.0}


@pytest.mark.parametrize(
    ("waiting", "shown"),
    [
        (Known(0, NOW, "flower"), (0, "known", "")),
        (Stale(9, NOW - 99, "flower", "99 s old"), (9, "stale", "99 s old")),
        (UNSEEN, (None, "unknown", "Flower does not list it")),
    ],
    ids=["known", "stale", "unknown"],
)
def test_a_queue_says_how_well_it_is_known(waiting, shown: tuple) -> None:
    """Unknown is null with a reason, stale is a number with a reason."""
    view = a_view(queues=(QueueSight("browser", waiting),))
    (queue,) = told(a_snapshot(a_record(a_decision(view=view))))["queues"]

    assert (queue["waiting"], queue["kind"], queue["why"]) == shown


def test_what_nobody_saw_is_null() -> None:
    """Neither the pool nor the totals make a zero of it."""
    view = a_view(waiting=None, replicas=(a_replica(running=None),))
    body = status(a_snapshot(a_record(a_decision(view=view), a_decision("reports", view=a_view("reports", waiting=5)))), NOW)

    assert (body["pools"][0]["backlog"], body["pools"][0]["busy"]) == (None, None)
    assert (body["totals"]["backlog"], body["totals"]["busy"], body["totals"]["blind"]) == (None, None, 1)


def test_an_unseen_fleet_is_null() -> None:
    """How many replicas there are is not known while the engine does not answer."""
    body = status(a_snapshot(a_record(a_decision(view=a_view(fleet_seen=False)))), NOW)

    assert (body["pools"][0]["replicas"], body["pools"][0]["slots"], body["totals"]["replicas"]) == (None, None, None)


def test_before_the_first_tick_all_keys_are_there() -> None:
    """Readers need no special case; everything unknown is null."""
    early, late = told(a_snapshot()), told(a_snapshot(a_record()))

    assert set(early) == set(late)
    assert early["desired"] is None


def test_a_removed_pool_is_shown_while_it_drains() -> None:
    """It stands behind the configured ones and says that it is removed."""
    snapshot = a_snapshot(a_record(a_decision("browser"), a_decision("gone", view=a_view("gone"))), "browser")

    assert [(p["pool"], p["removed"]) for p in status(snapshot, NOW)["pools"]] == [("browser", False), ("gone", True)]


def test_nobody_knows_a_pool_that_is_not_there() -> None:
    """None, which the API turns into 404."""
    assert pool_status(a_snapshot(), "nobody", NOW) is None


def test_the_detail_has_the_steps() -> None:
    """The waterfall as text and as data, and what is remembered."""
    detail = pool_detail(a_snapshot(a_record(BUSY), memory=Memory({"browser": PoolMemory(failures=2)})), "browser", NOW)

    assert detail["steps"] == to_plain(BUSY.steps)
    assert detail["waterfall"] == ["demand  2 -> 4  Demand  7 waiting"]
    assert detail["memory"]["failures"] == 2


def test_all_is_well_without_words() -> None:
    """No trouble, no text."""
    assert list(trouble(a_snapshot(a_record(BUSY)), NOW)) == []


LOST = a_decision(view=a_view(replicas=(a_replica(phase=Phase.LOST),)))
OVERDUE = a_decision(view=a_view(replicas=(a_replica(phase=Phase.DRAINING, since=NOW - 2000),)))
FULL = replace(BUSY, recommended=12, desired=10)
HASTY = Policies("a", 2.0, 20, {"browser": PoolPolicy("browser", ("browser",), 0, 10, slots=4, sizing=TargetWait(5.0))})
DRAINS = Memory({"browser": PoolMemory(drains=(Drain("a-browser-1", NOW - 60, "idle", was_idle=True, signals=2),))})
DEFIANT = a_decision(view=a_view(replicas=(a_replica(phase=Phase.DRAINING, since=NOW - 60, heard=True, defies=True),)))
SLOW = Flow(at=NOW, busy_seconds=90_000.0, done=100.0)
HOARDING = a_decision(view=a_view(replicas=(a_replica(running=4, reserved=20),), flow=SLOW))
BRIEF = replace(HASTY, pools={"browser": PoolPolicy("browser", ("browser",), 0, 10, slots=4, visibility_timeout_seconds=3600.0)})
BASE = WorkerSight("celery@base", *[Known(1, NOW, "flower")] * 8)
UNPLACED = replace(a_record(), observation=replace(a_record().observation, workers={BASE.name: BASE}))
STRANGER = Container("1", "a-somebody-1", "somebody", ContainerState.RUNNING, NOW, "s")
STRANGERS = replace(a_record(), observation=replace(a_record().observation, containers=Known((STRANGER,), NOW, "fleet")))
BACKOFF = Memory({"browser": PoolMemory(failures=3, backoff_until=NOW + 40)})


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        pytest.param(a_snapshot(), "the first tick is not over yet", id="first tick"),
        pytest.param(
            a_snapshot(a_record(), config=ConfigState("h", NOW - 60, ("config.yaml:3:5: pools: no",))),
            "config.yaml was refused, the one loaded 1m ago stays in force: config.yaml:3:5: pools: no",
            id="refused edit",
        ),
        pytest.param(
            a_snapshot(a_record(), config=ConfigState("h", NOW, needs_restart=("state",))),
            "a restart is needed to put these settings in force: state",
            id="restart",
        ),
        pytest.param(
            a_snapshot(a_record(sources=(a_source(up=False, detail="Flower refuses API access"),))),
            "flower: Flower refuses API access",
            id="source down",
        ),
        pytest.param(
            a_snapshot(a_record(a_decision(view=a_view(waiting=None)))),
            "browser is blind and will not be scaled down: queue browser: Flower does not list it",
            id="blind",
        ),
        pytest.param(
            a_snapshot(a_record(), memory=BACKOFF),
            "browser: workers ended badly 3 times in a row, the next start is in 40s",
            id="backing off",
        ),
        pytest.param(a_snapshot(a_record(LOST)), "browser: 1 replicas are not heard", id="lost"),
        pytest.param(a_snapshot(a_record(FULL)), "browser: 7 tasks wait and all 10 allowed replicas are wanted", id="at the maximum"),
        pytest.param(
            a_snapshot(a_record(a_decision(view=a_view(leftover=2)))),
            "browser: 2 unacknowledged tasks that no worker is known to run",
            id="leftover",
        ),
        pytest.param(a_snapshot(a_record(OVERDUE)), "browser: 1 workers have not left within drain.timeout (30m", id="overdue"),
        pytest.param(
            a_snapshot(a_record(DEFIANT), memory=DRAINS), "browser: a-browser-1 was told 2 times to leave, first 60 s ago", id="defiant"
        ),
        pytest.param(
            a_snapshot(a_record(HOARDING), policies=BRIEF), "browser: prefetched tasks sit with a worker for about 1h15m", id="hoarding"
        ),
        pytest.param(a_snapshot(UNPLACED), "1 workers are online that are not ours, and Flower does not say", id="unplaced"),
        pytest.param(a_snapshot(STRANGERS), "workers of instance 'a' belong to pools that are not in this", id="strangers"),
        pytest.param(a_snapshot(a_record(), policies=HASTY), "browser: target_wait 5s cannot be kept from zero: a start and", id="hasty"),
        pytest.param(a_snapshot(a_record(), journal_errors=3), "the journal lost 3 records", id="journal"),
        pytest.param(a_snapshot(a_record(), bugs=("ValueError: a bug",)), "ValueError: a bug", id="bug"),
    ],
)
def test_trouble_is_told_in_words(snapshot: Snapshot, words: str) -> None:
    """One sentence for each thing that is wrong."""
    (sentence,) = trouble(snapshot, NOW)

    assert sentence.startswith(words)


def failed_over(record: Record) -> Snapshot:
    """What readers see after the primary was left."""
    return a_snapshot(a_failover(record), active_broker="fallback", memory=Memory(meters={"primary": a_meter()}))


def test_says_which_broker_is_active_and_why() -> None:
    """Producers and Compose files follow this: the name, its health, and what is wrong with the other."""
    snapshot = failed_over(a_record(BUSY))

    primary, fallback = status(snapshot, NOW)["brokers"]

    assert (False, "quota", None) == (primary["active"], primary["health"], primary["waiting"])
    assert (True, "up", 3) == (fallback["active"], fallback["health"], fallback["waiting"])
    assert fallback["why"].startswith("primary is left: broker primary at db:6379 has used up its quota")
    assert "broker fallback is active instead of primary" in next(iter(trouble(snapshot, NOW)))


def test_tells_what_a_broker_costs() -> None:
    """Today, this month, the budget and where it will be, what an idle worker costs, what having none has saved."""
    snapshot = failed_over(a_record(BUSY))

    primary = status(snapshot, NOW)["brokers"][0]

    usage = primary["usage"]
    assert (8_400, 60_000, 900_000) == (usage["today"]["total"], usage["month"]["total"], usage["saved_month"])
    assert (0.84, "continue", NOW + 22_000) == tuple(primary["budget"][key] for key in ("ratio", "on_exhausted", "runs_out_at"))
    assert [
        "primary: 8,400 commands today, 60,000 this month: 67 % by idle workers, 17 % by the autoscaler, 17 % by nobody known here",
        "primary: 84 % of 10,000 a day used; at the pace of the last day it runs out in 6h6m, and would be 12,600 at the end",
        "primary: an idle worker costs 106 commands a minute (usual value, not measured here yet), 152,928 a day; "
        "having none saved 900,000 this month",
        "primary: asked once in 10s, because its budget would not last",
    ] == primary["words"]
    assert any("broker primary: 84 % of 10,000 a day used" in text for text in trouble(snapshot, NOW))


def test_yesterdays_sums_are_not_todays() -> None:
    """A daemon that was away over midnight shows a fresh day before its first tick."""
    primary = status(failed_over(a_record(BUSY)), NOW + 86_400)["brokers"][0]

    assert (0, 60_000) == (primary["usage"]["today"]["total"], primary["usage"]["month"]["total"])


def keys(value: object) -> set[str]:
    """Every key of a JSON value, however deep."""
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in keys(item)}
    return {key for item in value for key in keys(item)} if isinstance(value, list) else set()


def a_held_pool() -> Snapshot:
    """A pool after its work is done: its idle replica is kept for what is left of the window."""
    names = ("a-browser-1",)
    container = Container(names[0], names[0], "browser", ContainerState.RUNNING, NOW - 60, "s")
    queues = {"browser": QueueSight("browser", Known(0, NOW, "flower"))}
    idle, one, nobody = (Known(n, NOW, "flower") for n in (0, 1, False))
    worker = WorkerSight("celery@a-browser-1", Known(True, NOW, "flower"), idle, idle, idle, nobody, one, UNSEEN, UNSEEN)
    look = Observation(NOW, queues, {worker.name: worker}, Known((container,), NOW, "fleet"), (a_source(),))
    memory = Memory({"browser": PoolMemory(recommendations=((NOW - 4, 1), (NOW, 0)), ready=names)})
    before = a_snapshot(a_record())
    decision = decide(before.policies, look, memory, NOW)
    return replace(before, record=Record(NOW, "0123456789ab", look, decision, ()), memory=memory)


def test_what_time_alone_will_do_is_told() -> None:
    """Of a pool that is held back: to how many, and when."""
    (pool,) = status(a_held_pool(), NOW)["pools"]

    assert pool["next_change"] == pool_detail(a_held_pool(), "browser", NOW)["next_change"] == {"to": 0, "at": NOW + 8}


def test_every_key_of_the_status_is_documented() -> None:
    """The example in docs/http-api.md has the same keys as the real thing."""
    example = re.search(r"### `GET /api/v1/status[^`]*`.*?```json\n(.*?)```", DOCS.read_text(), re.DOTALL)

    assert keys(json.loads(example[1])) == keys(status(failed_over(a_record(BUSY)), NOW)) | keys(status(a_held_pool(), NOW))
