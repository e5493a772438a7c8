"""Values for tests of what is told: records and snapshots with boring defaults and overrides that matter."""

from __future__ import annotations

from dataclasses import replace

from autoscaler.model import (
    Action,
    ActionKind,
    BrokerChoice,
    BrokerSight,
    BrokerTrack,
    Decision,
    Exit,
    Health,
    Known,
    Memory,
    Observation,
    Outcome,
    Phase,
    Policies,
    PoolDecision,
    PoolPolicy,
    PoolView,
    QueueSight,
    Record,
    Replica,
    Result,
    SourceSight,
    Step,
    Unknown,
)
from autoscaler.model.spending import Account, Budget, Meter, Period, Usage
from autoscaler.report.snapshot import ConfigState, Snapshot

NOW = 1_800_000_000.0
"""A Friday morning, 2027-01-15 08:00 UTC."""
BROKERS = ("primary", "fallback")
UNSEEN = Unknown("Flower does not list it", "flower")


def a_replica(name: str = "a-browser-1", phase: Phase = Phase.READY, **changes) -> Replica:
    """A replica of four slots that was created a minute ago and is idle."""
    return replace(Replica(name, f"id-{name}", phase, since=NOW - 60, slots=4, running=0), **changes)


def a_view(pool: str = "browser", *, waiting: int | None = 0, replicas: tuple[Replica, ...] = (), **changes) -> PoolView:
    """A pool with one queue of its own name; `waiting=None` means that nobody can see it."""
    depth = UNSEEN if waiting is None else Known(waiting, NOW - 1, "flower")
    blind = (f"queue {pool}: {UNSEEN.why}",) if waiting is None else ()
    made = PoolView(pool, (QueueSight(pool, depth),), waiting or 0, 0, replicas, (), 0.0, blind)
    return replace(made, **changes)


def a_step(before: int, after: int, *, rule: str = "demand", reason: str = "Demand", because: str = "the numbers") -> Step:
    """One step, of demand unless said otherwise."""
    return Step(rule, before, after, reason, because)


def a_decision(pool: str = "browser", *steps: Step, view: PoolView | None = None, actions: tuple[Action, ...] = ()) -> PoolDecision:
    """A decision that follows from its steps; with none of them, nothing is needed."""
    look = view or a_view(pool)
    steps = steps or (a_step(look.current, look.current, reason="NoDemand", because="0 waiting + 0 busy of 0 slots"),)
    return PoolDecision(pool, look, look.current, steps[0].after, steps[-1].after, steps, actions)


def an_action(kind: ActionKind = ActionKind.START, replica: str = "a-browser-1", pool: str = "browser") -> Action:
    """One action on one replica."""
    return Action(kind, pool, replica, f"id-{replica}", "it is needed")


def an_outcome(kind: ActionKind, result: Result = Result.DONE, *, replica: str = "a-browser-1", at: float = NOW, **changes) -> Outcome:
    """What became of one action."""
    return Outcome(an_action(kind, replica), result, at, **changes)


def a_bad_end(*lines: str, code: int = 1, oom: bool = False) -> Exit:
    """How a worker ended that nobody had asked to."""
    return Exit(code, oom, lines)


def a_source(name: str = "flower", *, up: bool = True, detail: str = "") -> SourceSight:
    """One source in one look."""
    return SourceSight(name, up, detail, 0.02, NOW)


def a_record(
    *pools: PoolDecision, at: float = NOW, outcomes: tuple[Outcome, ...] = (), sources: tuple[SourceSight, ...] = (a_source(),)
) -> Record:
    """One tick of these pools, of an idle one when none are given."""
    seen = Observation(at, {}, {}, Known((), at, "fleet"), sources)
    return Record(at, "0123456789ab", seen, Decision(at, pools or (a_decision(),)), outcomes)


def a_snapshot(record: Record | None = None, *pools: str, **changes) -> Snapshot:
    """What readers get after this record; the pools of the record are configured unless others are named."""
    names = pools or (tuple(p.pool for p in record.decision.pools) if record else ("browser",))
    policies = Policies("a", 2.0, 20, {n: PoolPolicy(n, (n,), 0, 10, slots=4) for n in names}, "0123456789ab", BROKERS)
    made = Snapshot(NOW - 3600, policies, ConfigState("0123456789ab", NOW - 3600), Memory(), record, tick_seconds=0.05)
    return replace(made, **changes)


def a_failover(record: Record | None = None, *, just_now: bool = True) -> Record:
    """The record after the primary's quota was spent: the fallback is active, with three tasks waiting in `browser`."""
    made = record or a_record()
    depths = {"browser": QueueSight("browser", Known(3, NOW, "broker:fallback"))}
    spent = "broker primary at db:6379 has used up its quota"
    brokers = {
        "primary": BrokerSight("primary", Health.QUOTA, spent, fresh=True, queues={"browser": QueueSight("browser", UNSEEN)}),
        "fallback": BrokerSight("fallback", Health.UP, "", fresh=True, queues=depths),
    }
    tracks = {"primary": BrokerTrack(failed=1), "fallback": BrokerTrack(answered=9, up_since=NOW - 99)}
    choice = BrokerChoice("fallback", f"primary is left: {spent}", "primary" if just_now else "fallback", tracks)
    decision = replace(made.decision, brokers=choice, books={"primary": AN_ACCOUNT})
    return replace(made, observation=replace(made.observation, brokers=brokers), decision=decision)


AN_ACCOUNT = Account(Budget(10_000, "day"), used=8_400.0, projected=12_600.0, ends_at=NOW + 57_600.0, runs_out_at=NOW + 22_000.0, stage=0.8)


def a_meter(**changes) -> Meter:
    """The meter of a broker that has served 8,400 commands today and 60,000 this month."""
    day = Period("2027-01-15", Usage(autoscaler=400.0, flower=2_000.0, idle=4_000.0, busy=1_000.0, unexplained=1_000.0), saved=30_000.0)
    month = Period("2027-01", Usage(autoscaler=10_000.0, idle=40_000.0, unexplained=10_000.0), saved=900_000.0)
    ever = Usage(autoscaler=42.0, idle=77_000.0)
    made = Meter(NOW, sent=42, day=day, month=month, ever=ever, per_second=Usage(autoscaler=0.5), pace=(6_048.0, 86_400.0))
    return replace(made, **changes)
