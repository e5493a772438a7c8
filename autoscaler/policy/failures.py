"""Why a worker failed, and what the pool's next start has to wait for. Pure: outcomes in, the pool's trouble out.

`memory.py` folds it, `report/lessons.py` counts with it. Three kinds of trouble are held apart, because they end differently:

* a crash loop: this pool's workers end badly. The next start waits 10 s, doubling to 5 min; forgotten after 10 min of health.
* an engine's end: all workers of the pool are found cut off after a time in which the engine could not be seen. It was killed, or the
  host lost its power; that says nothing of them either, and nothing waits.
* a broker's fault: they end because the broker turns them away. That says nothing of the workers, so it is not counted as a crash
  loop; the wait grows likewise, and is over as soon as the broker is seen to serve again, or one of them is heard.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from autoscaler.model import (
    ActionKind,
    BrokerFault,
    BrokerSight,
    Failure,
    Health,
    Outcome,
    PoolMemory,
    PoolView,
    Result,
)
from autoscaler.model.health import fault_in

FIRST_BACKOFF_SECONDS = 10.0
LONGEST_BACKOFF_SECONDS = 300.0
HEALTHY_AFTER_SECONDS = 600.0
KILLED_CODE = 137
"""128 + SIGKILL, as shells and engines count."""
CUT_OFF_CODES = (KILLED_CODE, 255)
"""What an engine finds of a container that ended without it: killed with it, or not known."""


class Trouble(NamedTuple):
    """What holds the pool's next start back."""

    failures: int
    backoff_until: float
    fault: BrokerFault | None


def failure_of(outcome: Outcome, *, asked: bool, fell: bool = False) -> Failure | None:
    """How this worker failed, None where it did not; `asked`: we told it to leave, `fell`: it was among those of `fell_with_engine`.

    >>> from autoscaler.model import Action, Exit
    >>> ended = Outcome(Action(ActionKind.REMOVE, "mail", "w1"), Result.DONE, 0.0, exit=Exit(137))
    >>> failure_of(ended, asked=False), failure_of(ended, asked=True)
    (<Failure.KILLED: 'killed'>, None)
    """
    match outcome.action.kind:
        case ActionKind.START:
            return (outcome.failure or Failure.START_REFUSED) if outcome.result is Result.FAILED else None
        case ActionKind.DRAIN if outcome.action.last_words and outcome.result is Result.DONE:
            return Failure.BROKER if broker_fault(outcome) else Failure.START_TIMEOUT
        case ActionKind.REMOVE if outcome.exit and outcome.result is Result.DONE:
            return _of_end(outcome, asked=asked, fell=fell)
    return None


def _of_end(outcome: Outcome, *, asked: bool, fell: bool) -> Failure | None:
    end = outcome.exit
    assert end is not None, "only an end that was read is judged"
    if asked or end.oom:
        return Failure.OOM if end.oom else None
    if end.code is None:
        return Failure.NEVER_STARTED
    if end.code == 0:
        return Failure.EXIT_UNASKED
    if fell and end.code in CUT_OFF_CODES:
        return Failure.WITH_ENGINE
    if broker_fault(outcome):
        return Failure.BROKER
    return Failure.KILLED if end.code == KILLED_CODE else Failure.EXIT_NONZERO


def fell_with_engine(old: PoolMemory, view: PoolView) -> tuple[str, ...]:
    """Names of those that ended while the engine could not be seen, where no worker of the pool outlived that time.

    Remembered for as long as they are listed, and a look longer: how each of them ended is told when it was removed.
    """
    ended = tuple([c.name for c in view.exited])
    if old.looked_at is not None or old.desired is None:
        return tuple([name for name in old.fell if name in ended or name in old.ended])
    return () if any(r.container_id for r in view.serving) else ended


def broker_fault(outcome: Outcome) -> Health | None:
    """What the worker's last words say of its broker, None where they say nothing of it."""
    return fault_in(outcome.exit.log_tail) if outcome.exit else None


def trouble_after(
    old: PoolMemory, view: PoolView, outcomes: tuple[Outcome, ...], broker: BrokerSight | None, now: float
) -> Trouble:
    """The pool's trouble after these outcomes.

    Of a broker's fault a worker's words alone are enough only while no other worker of the pool is heard: what turns one away
    and serves the rest is this worker's own trouble.
    """
    if not (outcomes or old.failures or old.broker_fault):
        return Trouble(0, old.backoff_until, None)
    fault = _standing(old.broker_fault, view, broker)
    fell = fell_with_engine(old, view) if outcomes else ()
    bad = [o for o in outcomes if _is_bad(o, old, fell)]
    blamed = next((found for o in bad if (found := broker_fault(o))), None)
    if blamed and not any(r.heard for r in view.replicas):
        return Trouble(old.failures, old.backoff_until, _blame(fault, blamed, now))
    if bad and now >= old.backoff_until:  # before that it is of the same round: nothing was started since
        failures = old.failures + 1
        return Trouble(failures, now + _pause(failures), fault)
    healthy = not bad and old.failures and now - old.backoff_until > HEALTHY_AFTER_SECONDS
    return Trouble(0, 0.0, fault) if healthy else Trouble(old.failures, old.backoff_until, fault)


def _is_bad(outcome: Outcome, old: PoolMemory, fell: tuple[str, ...]) -> bool:
    """A failure after which the next start had better wait.

    Not one that was asked to leave, one that ended with its engine, one that never ran (its refusal was counted, or it was cut off with
    the daemon), or one that was heard and left by itself without an error.
    """
    action = outcome.action
    if action.kind is ActionKind.REMOVE and any(d.replica == action.replica for d in old.drains):
        return False
    failure = failure_of(outcome, asked=False, fell=action.replica in fell)
    if failure is None:
        return action.last_words and outcome.result is Result.PENDING
    left_by_itself = failure is Failure.EXIT_UNASKED and action.replica in old.ready
    return not left_by_itself and failure not in (Failure.NEVER_STARTED, Failure.WITH_ENGINE)


def _pause(times: int) -> float:
    return min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(times - 1, 10))


def _blame(fault: BrokerFault | None, health: Health, now: float) -> BrokerFault:
    if fault and now < fault.until:
        return replace(fault, health=health)
    times = fault.times + 1 if fault else 1
    return BrokerFault(health, now + _pause(times), times, seen_down=fault.seen_down if fault else False)


def _standing(fault: BrokerFault | None, view: PoolView, broker: BrokerSight | None) -> BrokerFault | None:
    """The fault that still holds: until a worker is heard, or the broker that was seen to be down is seen to serve."""
    if fault is None or any(r.heard for r in view.replicas):
        return None
    news = broker.health if broker and broker.fresh else Health.UNKNOWN
    if fault.seen_down and news is Health.UP:
        return None
    return replace(fault, seen_down=fault.seen_down or news.is_down)
