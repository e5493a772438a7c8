"""The hands: never hold the loop up, never two calls for one replica, every answer exactly once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count

import pytest
from live import until

from autoscaler.config.worker import WorkerSpec
from autoscaler.errors import ContainerGone, DryRun, FleetUnreachable, Refusal, StartRefused
from autoscaler.fleet.contract import BrokerAddress
from autoscaler.fleet.hands import Hands
from autoscaler.model import Action, ActionKind, Container, Exit, Failure, Outcome, Result

WORKERS = {"a": WorkerSpec(image="a"), "b": WorkerSpec(image="b")}
BROKERS = {"": BrokerAddress("primary", "redis://broker/0"), "fallback": BrokerAddress("fallback", "redis://other/0")}
DEADLINE = 0.05


class ScriptedFleet:
    """A fleet whose calls wait at a gate or raise, as the test says, and that remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.given: dict[str, tuple[str, WorkerSpec, Mapping[str, str]]] = {}
        self.brokers: dict[str, str] = {}
        self.gates: dict[str, threading.Event] = {}
        self.errors: dict[str, Exception] = {}
        self.ended = Exit(3, log_tail=("no such app",))

    def hold(self, *names: str) -> threading.Event:
        """Calls for these replicas wait until the returned gate is set."""
        gate = threading.Event()
        self.gates |= dict.fromkeys(names, gate)
        return gate

    def containers(self) -> tuple[Container, ...]:
        return ()

    def host(self) -> None:
        return None

    def start(self, name: str, pool: str, worker: WorkerSpec, environment: Mapping[str, str], broker: str = "") -> None:
        self.brokers[name] = broker
        self.given[name] = (pool, worker, environment)
        self._call("start", name)

    def stop(self, container_id: str, *, kill: bool = False) -> None:
        self._call("kill" if kill else "stop", container_id)

    def last_words(self, container_id: str) -> tuple[str, ...]:
        return (f"last words of {container_id}",)

    def remove(self, container_id: str) -> Exit:
        self._call("remove", container_id)
        return self.ended

    def _call(self, verb: str, name: str) -> None:
        self.calls.append(f"{verb} {name}")
        if name in self.gates:
            self.gates[name].wait(10)
        if name in self.errors:
            raise self.errors[name]


@pytest.fixture
def fleet() -> Iterator[ScriptedFleet]:
    """A scripted fleet whose gates are all open in the end."""
    scripted = ScriptedFleet()
    yield scripted
    for gate in scripted.gates.values():
        gate.set()


@pytest.fixture
def make_hands(fleet: ScriptedFleet) -> Iterator[Callable[..., Hands]]:
    """Makes hands of this fleet, and closes them."""
    made: list[Hands] = []

    def make(*, patience: float = 5.0, parallel: int = 2, deadline: float = 60.0) -> Hands:
        made.append(Hands(fleet, patience_seconds=patience, parallel=parallel, deadline_seconds=deadline))
        made[-1].configure(WORKERS, BROKERS)
        return made[-1]

    yield make
    for gate in fleet.gates.values():
        gate.set()
    for hands in made:
        hands.close()


def an_action(kind: ActionKind, replica: str, pool: str = "a") -> Action:
    return Action(kind, pool, replica, container_id=replica, because="a test")


def start(replica: str, pool: str = "a") -> Action:
    return an_action(ActionKind.START, replica, pool)


def drain(replica: str, pool: str = "a") -> Action:
    return an_action(ActionKind.DRAIN, replica, pool)


def later(hands: Hands, wanted: Callable[[tuple[Outcome, ...]], object] = bool) -> tuple[Outcome, ...]:
    """What the hands report in the ticks after this one, until it is what is wanted."""
    got: list[Outcome] = []
    tick = count(2)

    def look() -> object:
        got.extend(hands.act((), float(next(tick))))
        return wanted(tuple(got))

    until(look)
    return tuple(got)


class TestCalls:
    """Which call an action becomes."""

    def test_each_kind_is_one_call(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """Start, drain, kill and remove reach the fleet as what they are."""
        actions = tuple(an_action(kind, f"r-{kind}") for kind in ActionKind)

        outcomes = make_hands().act(actions, now=7.0)

        assert sorted(fleet.calls) == ["kill r-kill", "remove r-remove", "start r-start", "stop r-drain"]
        assert {(o.action, o.result, o.at) for o in outcomes} == {(a, Result.DONE, 7.0) for a in actions}

    def test_a_start_carries_name_and_broker(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """A start uses its pool's worker and tells it its node name and its broker."""
        make_hands().act((start("r", "b"),), 1.0)

        pool, worker, environment = fleet.given["r"]
        assert (pool, worker) == ("b", WORKERS["b"])
        assert environment["CELERY_WORKER_HOSTNAME"] == "celery@r"
        assert environment["CELERY_BROKER_URL"] == "redis://broker/0"

    def test_a_start_for_another_broker(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """A start in another lane is told that lane's address, and the fleet its name; one that is gone gets no worker."""
        other = Action(ActionKind.START, "a", "r", broker="fallback")
        gone = Action(ActionKind.START, "a", "s", broker="gone")

        outcomes = make_hands().act((start("q"), other, gone), 1.0)

        assert "redis://other/0" == fleet.given["r"][2]["REDIS_URL"]
        assert {"q": "primary", "r": "fallback"} == fleet.brokers
        assert ["broker gone is not configured any more, so no worker is started for it"] == [o.detail for o in outcomes if o.detail]

    def test_a_removal_tells_how_it_ended(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """The exit code and last words go into the outcome."""
        (outcome,) = make_hands().act((an_action(ActionKind.REMOVE, "r"),), 1.0)

        assert outcome.exit == fleet.ended

    def test_a_failed_start_is_drained_with_its_last_words(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """Where the decision wants to know why a worker never came to work, its log is read before the signal."""
        (outcome,) = make_hands().act((replace(drain("r"), last_words=True),), 1.0)

        assert (outcome.result, outcome.exit) == (Result.DONE, Exit(None, log_tail=("last words of r",)))
        assert fleet.calls == ["stop r"]

    def test_a_kill_tells_what_it_cut_off(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """The ids of what runs are asked for right before it, under the worker's node name; for a drain nobody asks."""
        hands = make_hands()
        hands.configure(WORKERS, {}, running_tasks=lambda worker: (f"a task of {worker}, {len(fleet.calls)} calls before",))

        killed, drained = hands.act((an_action(ActionKind.KILL, "r"), drain("s")), 1.0)
        cut_off = {outcome.action.replica: outcome.interrupted for outcome in (killed, drained)}
        assert cut_off["s"] == ()
        assert cut_off["r"][0].startswith("a task of celery@r")

    def test_new_settings_count_from_the_next_call(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """After a reload, starts use the new worker and the new fleet; the old fleet is left alone."""
        hands, other = make_hands(), ScriptedFleet()

        hands.configure({"a": WorkerSpec(image="new")}, {}, other)
        hands.act((start("r"),), 1.0)

        assert fleet.calls == []
        assert other.given["r"][1].image == "new"
        assert "CELERY_BROKER_URL" not in other.given["r"][2]


class TestErrors:
    """How trouble becomes an outcome."""

    @pytest.mark.parametrize(
        ("error", "result", "detail"),
        [
            pytest.param(ContainerGone("it has left"), Result.NOTHING_TO_DO, "it has left", id="gone"),
            pytest.param(DryRun("would stop r"), Result.NOTHING_TO_DO, "would stop r", id="dry run"),
            pytest.param(StartRefused("no such image"), Result.FAILED, "no such image", id="refused"),
            pytest.param(FleetUnreachable("no answer"), Result.FAILED, "no answer", id="engine away"),
        ],
    )
    def test_expected_trouble_is_told(
        self, fleet: ScriptedFleet, make_hands: Callable[..., Hands], error: Exception, result: Result, detail: str
    ) -> None:
        """What a fleet may raise becomes a result with its words."""
        fleet.errors["r"] = error

        (outcome,) = make_hands().act((drain("r"),), 1.0)

        assert (outcome.result, outcome.detail) == (result, detail)

    @pytest.mark.parametrize(
        ("error", "failure"),
        [
            pytest.param(StartRefused("no such image", Refusal.IMAGE_MISSING), Failure.IMAGE_MISSING, id="refused"),
            pytest.param(FleetUnreachable("no answer"), Failure.ENGINE, id="engine away"),
        ],
    )
    def test_a_failed_start_says_why(
        self, fleet: ScriptedFleet, make_hands: Callable[..., Hands], error: Exception, failure: Failure
    ) -> None:
        """In a word that memory and metrics go by; the text is for people."""
        fleet.errors["r"] = error

        (outcome,) = make_hands().act((start("r"),), 1.0)

        assert outcome.failure is failure

    def test_a_bug_costs_no_thread_and_tells_no_secret(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """An unexpected exception is reported by type and place, and the next action is carried out."""
        hands = make_hands(parallel=1)
        fleet.errors |= {f"bad{n}": ValueError("redis://:pass" + "word@broker") for n in range(4)}

        outcomes = hands.act((*(drain(f"bad{n}") for n in range(4)), drain("good")), 1.0)

        assert [o.result for o in outcomes if o.action.replica == "good"] == [Result.DONE]
        assert all(o.detail.startswith("bug: ValueError in _call, test_hands.py:") for o in outcomes if o.result is Result.FAILED)

    def test_an_unknown_pool_starts_nothing(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """A start for a pool without a worker fails in words, without a call."""
        (outcome,) = make_hands().act((start("r", "gone"),), 1.0)

        assert (outcome.result, fleet.calls) == (Result.FAILED, [])
        assert "gone is not configured" in outcome.detail


class TestPatience:
    """The loop is never held up, and no answer is lost or told twice."""

    def test_slow_calls_are_pending_and_told_later(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """What has not ended is pending now and comes, once, with a later tick, which may have no actions."""
        hands, gate = make_hands(patience=0.05), fleet.hold("slow")

        first = hands.act((start("slow"), start("quick")), 1.0)
        gate.set()
        rest = later(hands)

        assert {o.action.replica: o.result for o in first} == {"quick": Result.DONE, "slow": Result.PENDING}
        assert [(o.action.replica, o.result) for o in rest] == [("slow", Result.DONE)]
        assert hands.act((), 9.0) == ()

    def test_one_replica_has_one_call(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """The same action again while it is under way is pending, and makes no second call."""
        hands, gate = make_hands(patience=0.05), fleet.hold("r")

        hands.act((drain("r"),), 1.0)
        (again,) = hands.act((drain("r"),), 2.0)
        gate.set()

        assert again.result is Result.PENDING
        assert [o.result for o in later(hands)] == [Result.DONE]
        assert fleet.calls == ["stop r"]

    def test_another_action_is_not_promised(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """A drain during a start fails, so that nobody believes that the worker was told to leave."""
        hands = make_hands(patience=0.05)
        fleet.hold("r")

        hands.act((start("r"),), 1.0)
        (outcome,) = hands.act((drain("r"),), 2.0)

        assert (outcome.result, outcome.detail) == (Result.FAILED, "not now: an earlier start of it has not ended")

    def test_no_more_starts_at_once_than_allowed(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """Starts beyond the cap wait for a free hand."""
        hands, names = make_hands(patience=0.05, parallel=2), [f"r{n}" for n in range(6)]
        gate = fleet.hold(*names)

        hands.act(tuple(map(start, names)), 1.0)
        begun = len(fleet.calls)
        gate.set()

        assert begun == 2
        assert len(later(hands, lambda got: len(got) == 6)) == 6


class TestFairness:
    """One pool's trouble is not another's."""

    def test_a_drain_passes_slow_starts(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """With every start waiting for the engine, a drain of another pool is still carried out at once."""
        hands, slow = make_hands(patience=0.05), [f"s{n}" for n in range(8)]
        fleet.hold(*slow)
        hands.act(tuple(start(name, "a") for name in slow), 1.0)

        outcomes = hands.act((drain("r", "b"),), 2.0)

        assert [(o.action.replica, o.result) for o in outcomes] == [("r", Result.DONE)]

    def test_starts_take_turns(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """A pool with few starts does not wait for all of a pool with many."""
        hands, gate = make_hands(patience=0.05, parallel=1), fleet.hold("first")
        hands.act((start("first"),), 1.0)
        hands.act((*(start(f"a{n}", "a") for n in range(3)), start("b0", "b")), 2.0)

        gate.set()
        later(hands, lambda got: len(got) == 5)

        assert fleet.calls == ["start first", "start a0", "start b0", "start a1", "start a2"]


class TestDeadline:
    """An engine that hangs costs neither the loop nor more than a few threads."""

    def test_no_answer_is_reported_once(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """A call past its deadline is reported as failed once, with the warning that it may still happen."""
        hands = make_hands(patience=0.01, deadline=DEADLINE)
        fleet.hold("r")

        hands.act((drain("r"),), 1.0)
        (outcome,) = later(hands)

        assert outcome.result is Result.FAILED
        assert outcome.detail == "the engine has not answered for 0.05 s; it may still happen"
        assert hands.act((), 9.0) == ()

    def test_what_happened_after_all_is_told(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """A removal that ends after it was given up still brings its exit code."""
        hands, gate = make_hands(patience=0.01, deadline=DEADLINE), fleet.hold("r")
        hands.act((an_action(ActionKind.REMOVE, "r"),), 1.0)
        later(hands)

        gate.set()
        (late,) = later(hands)

        assert (late.result, late.exit) == (Result.DONE, fleet.ended)

    def test_a_late_failure_is_not_told_twice(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """A call that was given up and then fails was reported as failed already."""
        hands, gate = make_hands(patience=0.01, deadline=DEADLINE), fleet.hold("r")
        fleet.errors["r"] = FleetUnreachable("timed out")
        hands.act((drain("r"),), 1.0)
        later(hands)

        gate.set()
        told = later(hands, lambda got: hands.act((drain("r"),), 5.0)[0].detail == "timed out")

        assert told == ()

    def test_stuck_threads_refuse_at_once(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """With every hand waiting in vain, new actions fail at once, and are taken up again when one returns."""
        hands, names = make_hands(patience=0.01, parallel=2, deadline=DEADLINE), ["x", "y", "z"]
        gate = fleet.hold(*names)
        hands.act(tuple(map(drain, names)), 1.0)
        later(hands, lambda got: len(got) == 3)

        (refused,) = hands.act((drain("r"),), 5.0)
        gate.set()
        until(lambda: hands.act((drain("r"),), 6.0)[-1].result is Result.DONE)

        assert (refused.result, "r" in "".join(fleet.calls[:3])) == (Result.FAILED, False)
        assert refused.detail.startswith("not tried: ")

    def test_stuck_starts_leave_a_hand_for_drains(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """Starts that hang refuse further starts, while drains go on."""
        hands, names = make_hands(patience=0.5, parallel=2, deadline=DEADLINE), ["x", "y"]
        fleet.hold(*names)
        hands.act(tuple(map(start, names)), 1.0)
        later(hands, lambda got: len(got) == 2)

        outcomes = hands.act((start("r"), drain("s")), 5.0)

        assert {o.action.replica: o.result for o in outcomes} == {"r": Result.FAILED, "s": Result.DONE}

    def test_what_never_began_never_happens(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """A start that waited behind hanging ones is taken back, not carried out when nobody expects it any more."""
        hands, gate = make_hands(patience=0.01, parallel=1, deadline=DEADLINE), fleet.hold("x")
        hands.act((start("x"), start("waiting")), 1.0)
        given_up = later(hands, lambda got: len(got) == 2)

        gate.set()
        later(hands)

        assert {o.result for o in given_up} == {Result.FAILED}
        assert fleet.calls == ["start x"]


class TestClose:
    """The end."""

    def test_nothing_begins_after_close(self, fleet: ScriptedFleet, make_hands: Callable[..., Hands]) -> None:
        """What still waits is dropped, and a call that hangs does not hold the process up."""
        hands, gate = make_hands(patience=0.05, parallel=1), fleet.hold("x")
        hands.act((start("x"), start("waiting")), 1.0)

        hands.close()
        gate.set()

        assert fleet.calls == ["start x"]

    def test_threads_end_with_close(self, make_hands: Callable[..., Hands]) -> None:
        """Closed hands leave no thread behind."""
        before = set(threading.enumerate())
        hands = make_hands(parallel=3)
        hands.act((start("r"),), 1.0)

        hands.close()

        assert set(threading.enumerate()) <= before
