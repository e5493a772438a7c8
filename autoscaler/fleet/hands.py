"""The loop's hands: carry out a decision's actions on a fleet without ever holding the loop up.

The loop hands over the actions of one tick and gets outcomes back: at once what ended within its patience, later the rest.
A few daemon threads make the calls: drains, kills and removals before starts, and starts in turn over the pools.
There is one thread more than there may be starts at once, so that slow starts of one pool cannot keep another's drain waiting.

The life of a job:

    waiting --(a thread takes it)--> running --(the engine answers)--> reported
       \\--(nobody took it in time)--> reported as failed, never to happen
                                     running --(no answer in time)--> reported as failed, its thread is stuck until it returns
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from autoscaler.config.worker import WorkerSpec
from autoscaler.errors import ActError, ContainerGone, DryRun, SightError, StartRefused
from autoscaler.fleet.contract import BrokerAddress, Fleet, replica_environment
from autoscaler.model import Action, ActionKind, Exit, Failure, Outcome, Result

RunningTasks = Callable[[str], tuple[str, ...]]


@dataclass(slots=True, eq=False)
class _Job:
    """One action on its way; all fields but the action are written under the lock."""

    action: Action
    ordered: float
    begun: float | None = None
    overdue: bool = False
    """It was reported as failed without an answer."""

    @property
    def is_start(self) -> bool:
        return self.action.kind is ActionKind.START


@dataclass(frozen=True, slots=True)
class _Answer:
    """How a call ended, before the loop's time is put on it."""

    action: Action
    result: Result
    seconds: float = 0.0
    detail: str = ""
    exit: Exit | None = None
    failure: Failure | None = None
    interrupted: tuple[str, ...] = ()

    def outcome(self, now: float) -> Outcome:
        return Outcome(self.action, self.result, now, self.seconds, self.detail, self.exit, self.failure, self.interrupted)


class Hands:
    """Carries out actions in the background, each replica's one at a time; satisfies `loop.Hands`.

    `patience_seconds` is how long one `act` may hold the loop up, `parallel` how many calls may start workers at once,
    `deadline_seconds` how long one call may take before it is given up.
    """

    def __init__(self, fleet: Fleet, *, patience_seconds: float, parallel: int = 4, deadline_seconds: float = 60.0) -> None:
        self._fleet = fleet
        self._workers: Mapping[str, WorkerSpec] = {}
        self._brokers: Mapping[str, BrokerAddress] = {}
        self._running_tasks: RunningTasks = _nobody_says
        self._patience = patience_seconds
        self._parallel = parallel
        self._deadline = deadline_seconds
        self._change = threading.Condition()
        self._urgent: deque[_Job] = deque()
        self._starts: dict[str, deque[_Job]] = {}
        """Waiting starts by pool; the pool whose turn it is comes first."""
        self._jobs: dict[str, _Job] = {}
        """Every job that has not ended, by replica: never two for one."""
        self._answers: list[_Answer] = []
        self._closed = False
        self._threads = [threading.Thread(target=self._serve, name=f"hand-{n}", daemon=True) for n in range(parallel + 1)]
        for thread in self._threads:
            thread.start()

    def configure(
        self,
        workers: Mapping[str, WorkerSpec],
        brokers: Mapping[str, BrokerAddress],
        fleet: Fleet | None = None,
        running_tasks: RunningTasks | None = None,
    ) -> None:
        """Use these from the next call on, also for what is still waiting; to be called between two ticks.

        `brokers` tells by lane what workers are started for; without an address they find their own. `running_tasks` gives the ids
        of what a worker runs, by its node name, and is asked right before a kill.
        """
        with self._change:
            self._workers, self._brokers = dict(workers), dict(brokers)
            self._fleet = fleet or self._fleet
            self._running_tasks = running_tasks or self._running_tasks

    def act(self, actions: tuple[Action, ...], now: float) -> tuple[Outcome, ...]:
        """Begin these, wait a little, and report what ended since the last call; `now` is the time on every outcome."""
        with self._change:
            assert not self._closed, "the hands are closed"
            self._give_up()
            ordered = [job for job in map(self._order, actions) if job]
            self._change.notify_all()
            self._change.wait_for(lambda: not any(map(self._is_open, ordered)), self._patience)
            ended, self._answers = self._answers, []
            pending = [_Answer(job.action, Result.PENDING, detail="not answered yet") for job in ordered if self._is_open(job)]
            return tuple(answer.outcome(now) for answer in (*ended, *pending))

    def close(self) -> None:
        """Begin nothing more and give calls under way the usual patience; threads that are stuck end with the process."""
        with self._change:
            self._closed = True
            self._urgent.clear()
            self._starts.clear()
            self._change.notify_all()
        until = time.monotonic() + self._patience
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _order(self, action: Action) -> _Job | None:
        """Put an action in line, or answer why not."""
        if before := self._jobs.get(action.replica):
            # Pending promises an outcome: the earlier call brings that of its own kind, and none of another.
            result = Result.PENDING if before.action.kind is action.kind else Result.FAILED
            self._answers.append(_Answer(action, result, detail=f"not now: an earlier {before.action.kind} of it has not ended"))
            return None
        if self._is_stuck(action.kind):
            self._answers.append(_Answer(action, Result.FAILED, detail=self._stuck_text(), failure=Failure.ENGINE))
            return None
        job = self._jobs[action.replica] = _Job(action, ordered=time.monotonic())
        self._line(job).append(job)
        return job

    def _is_open(self, job: _Job) -> bool:
        return self._jobs.get(job.action.replica) is job

    def _line(self, job: _Job) -> deque[_Job]:
        return self._starts.setdefault(job.action.pool, deque()) if job.is_start else self._urgent

    def _give_up(self) -> None:
        """Report what took too long, and what waits in vain behind calls that take too long."""
        now = time.monotonic()
        for job in [job for job in self._jobs.values() if not job.overdue]:
            if job.begun is not None and now - job.begun >= self._deadline:
                job.overdue = True
                text = f"the engine has not answered for {self._deadline:g} s; it may still happen"
                self._answers.append(_Answer(job.action, Result.FAILED, now - job.begun, text, failure=Failure.ENGINE))
        for job in [job for job in self._jobs.values() if job.begun is None]:
            if self._is_stuck(job.action.kind):
                self._cancel(job, now, self._stuck_text())
            elif now - job.ordered >= self._deadline:
                self._cancel(job, now, f"not begun within {self._deadline:g} s because of slower calls before it; it will not happen")

    def _cancel(self, job: _Job, now: float, text: str) -> None:
        self._line(job).remove(job)
        self._starts = {pool: line for pool, line in self._starts.items() if line}
        del self._jobs[job.action.replica]
        self._answers.append(_Answer(job.action, Result.FAILED, now - job.ordered, text, failure=Failure.ENGINE))

    def _is_stuck(self, kind: ActionKind) -> bool:
        """True when every thread that could take such an action has been given up."""
        stuck = [job.is_start for job in self._jobs.values() if job.overdue]
        return len(stuck) > self._parallel or (kind is ActionKind.START and sum(stuck) >= self._parallel)

    def _stuck_text(self) -> str:
        return f"not tried: earlier calls have had no answer for {self._deadline:g} s; see whether the engine hangs"

    def _serve(self) -> None:
        """What each thread does until the hands are closed."""
        while job := self._take():
            answer = self._carry_out(job.action)
            with self._change:
                del self._jobs[job.action.replica]
                # After a failure was reported for want of an answer, only news is reported: that it happened after all.
                if not (job.overdue and answer.result is Result.FAILED):
                    self._answers.append(answer)
                self._change.notify_all()

    def _take(self) -> _Job | None:
        """The next job, None when the hands are closed."""
        with self._change:
            while not self._closed:
                if job := self._next():
                    job.begun = time.monotonic()
                    return job
                self._change.wait()
            return None

    def _next(self) -> _Job | None:
        if self._urgent:
            return self._urgent.popleft()
        running = sum(job.is_start and job.begun is not None for job in self._jobs.values())
        if not self._starts or running >= self._parallel:
            return None
        pool = next(iter(self._starts))
        line = self._starts.pop(pool)
        job = line.popleft()
        if line:
            self._starts[pool] = line  # now the last in turn
        return job

    def _carry_out(self, action: Action) -> _Answer:
        """One call to the fleet, every error translated into a result."""
        begun = time.monotonic()
        result, detail, ended, failure = Result.DONE, "", None, None
        cut_off: tuple[str, ...] = ()
        try:
            if action.kind is ActionKind.KILL:
                cut_off = self._running_tasks(f"celery@{action.replica}")
            ended = self._call(action)
        except (DryRun, ContainerGone) as error:
            result, detail = Result.NOTHING_TO_DO, str(error)
        except StartRefused as error:
            result, detail, failure = Result.FAILED, str(error), Failure(error.why)
        except ActError as error:
            result, detail = Result.FAILED, str(error)
        except SightError as error:
            result, detail, failure = Result.FAILED, str(error), Failure.ENGINE
        except Exception as error:  # a bug in a fleet must not cost a thread, and its text may hold a secret
            result, detail = Result.FAILED, _bug(error)
        return _Answer(action, result, time.monotonic() - begun, detail, ended, failure, cut_off if result is Result.DONE else ())

    def _call(self, action: Action) -> Exit | None:
        with self._change:
            fleet, worker, broker = self._fleet, self._workers.get(action.pool), self._brokers.get(action.broker)
        match action.kind:
            case ActionKind.START:
                if worker is None:
                    raise StartRefused(f"pool {action.pool} is not configured any more, so there is nothing to start")
                if broker is None and action.broker:
                    raise StartRefused(f"broker {action.broker} is not configured any more, so no worker is started for it")
                own = replica_environment(action.replica, action.pool, broker.url if broker else None)
                fleet.start(action.replica, action.pool, worker, own, broker.name if broker else "")
            case ActionKind.DRAIN | ActionKind.KILL:
                said = fleet.last_words(action.container_id) if action.last_words else ()
                fleet.stop(action.container_id, kill=action.kind is ActionKind.KILL)
                return Exit(None, log_tail=said) if action.last_words else None
            case ActionKind.REMOVE:
                return fleet.remove(action.container_id)
        return None


def _nobody_says(_worker: str) -> tuple[str, ...]:
    return ()


def _bug(error: Exception) -> str:
    """Which bug and where, without its text."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"bug: {type(error).__name__} in {place.name}, {place.filename.rpartition('/')[2]}:{place.lineno}"
