"""Plays a scenario: a text file of commands, each followed by what the loop did, tick by tick.

    pool NAME key=value ...     a pool; keys: min max slots up max_wait down target_wait backlog_per_replica spare stabilization
                                memory (GiB) cpus priority
                                up_step up_period up_cooldown up_stabilization down_step down_period down_cooldown
    remove POOL                 the pool is taken out of the configuration
    cap COUNT                   max_replicas over all pools
    host GIB CPUS [GIB]         what the engine says of its host, and what containers of others may take of it
    runtime SECONDS             how long a task takes from now on
    send POOL COUNT             tasks arrive
    eta POOL COUNT SECONDS      a worker of the pool takes tasks that are due only then
    run SECONDS                 tick every two seconds
    flower down|up              Flower answers or does not
    engine down|up|refusing     the list of containers is there or not; refusing: no start succeeds
    restart                     the daemon is killed and starts without a journal
    broker up|quota|auth|...    how the broker is doing, in the words of model/health.py
    budget COMMANDS [stop]      what the broker may be used for in a day, and whether everything stops then
    spend COMMANDS              others use the broker, and its counter is read
    turned away WORDS | let in  workers die of these words of the broker as soon as they are up; and no more
    hide POOL | show POOL       nobody says how long the pool's queue is, though the workers are heard; and again
    spec POOL NAME              the pool's worker is changed: new ones are started from this spec
    hang COUNT                  so many of the next starts never come to work
    kill POOL                   one of the pool's workers dies, its tasks go back to their queue
    lose POOL                   one dies, and its tasks stay unacknowledged until a worker has lived for some seconds
    explain POOL                every step of the last decision
    pause POOL up|down|both [SECONDS]
    scale POOL COUNT [SECONDS]  a count is set by hand
    drain POOL [one]            all workers of the pool are sent home, or its eldest alone
    wake POOL [COUNT]           a producer says that it has sent work
    resume POOL                 what was paused or set by hand ends

Under each command stands, behind a line of dashes, one line for every tick in which a pool said something new:
seconds, pool, count, reason of the last step that changed it, and what was done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from world import World, shrunk

from autoscaler.model import (
    BacklogPerReplica,
    Damping,
    Direction,
    Health,
    Host,
    Need,
    Order,
    OrderKind,
    Policies,
    PoolPolicy,
    Record,
    TargetWait,
    Thresholds,
)
from autoscaler.model.spending import Budget, Served
from autoscaler.report.sentence import waterfall

START = 1000.0


class Stage:
    """One scenario being played."""

    def __init__(self) -> None:
        self.world = World(Policies("t", 2.0, 20, {}), runtime=5.0, start=START)
        self._told: dict[str, tuple[object, ...]] = {}

    def play(self, command: str) -> list[str]:
        """Do one command and tell what came of it."""
        verb, *words = command.split()
        return list(getattr(self, f"_{verb}")(*words) or ())

    def _pool(self, name: str, *settings: str) -> None:
        given = dict(word.split("=") for word in settings)

        def number(key: str, default: float) -> float:
            return float(given.get(key, default))

        policy = PoolPolicy(
            name,
            (name,),
            int(number("min", 0)),
            int(number("max", 8)),
            slots=int(number("slots", 1)),
            sizing=TargetWait(number("target_wait", 0)) if "target_wait" in given
            else BacklogPerReplica(number("backlog_per_replica", 0)) if "backlog_per_replica" in given
            else Thresholds(int(number("up", 0)), number("max_wait", 15.0), int(number("down", 0))),
            spare=int(number("spare", 0)),
            priority=int(number("priority", 0)),
            need=Need(round(number("memory", 0) * 2**30), number("cpus", 0)),
            scale_up=_damping(given, "up", "none", number("up_stabilization", 0)),
            scale_down=_damping(given, "down", "100%", number("stabilization", 0) if "stabilization" in given else None),
        )  # fmt: skip
        self._configure({**self.world.policies.pools, name: policy})
        self.world.waiting.setdefault(name, [])

    def _remove(self, pool: str) -> None:
        self._configure({name: policy for name, policy in self.world.policies.pools.items() if name != pool})

    def _configure(self, pools: dict[str, PoolPolicy]) -> None:
        self.world.policies = replace(self.world.policies, pools=pools)

    def _cap(self, count: str) -> None:
        self.world.policies = replace(self.world.policies, max_replicas=int(count))

    def _host(self, memory: str, cpus: str, others: str = "0") -> None:
        self.world.host = Host(int(memory) * 2**30, float(cpus), int(others) * 2**30)

    def _runtime(self, seconds: str) -> None:
        self.world.runtime = float(seconds)

    def _send(self, pool: str, count: str) -> None:
        self.world.send(pool, int(count))

    def _eta(self, pool: str, count: str, seconds: str) -> None:
        self.world.send_later(pool, int(count), self.world.now + float(seconds))

    def _run(self, seconds: str) -> Iterator[str]:
        before = len(self.world.records)
        self.world.run(float(seconds))
        for record in self.world.records[before:]:
            yield from self._lines(record)

    def _lines(self, record: Record) -> Iterator[str]:
        for pool in record.decision.pools:
            done = [f"{outcome.action.kind} {outcome.result}" for outcome in record.outcomes if outcome.action.pool == pool.pool]
            counted = " ".join(f"{name} x{done.count(name)}" for name in dict.fromkeys(done))
            said = (pool.current, pool.desired, str(pool.reason))
            if said != self._told.get(pool.pool) or counted:
                self._told[pool.pool] = said
                line = f"{record.at - START:6.0f} s  {pool.pool}  {pool.current} -> {pool.desired}  {pool.reason}"
                yield f"{line}  | {counted}" if counted else line

    def _flower(self, state: str) -> None:
        self.world.blind_flower = state == "down"

    def _engine(self, state: str) -> None:
        self.world.blind_fleet = state == "down"
        self.world.refusing_engine = state == "refusing"

    def _restart(self) -> None:
        self.world.crash_daemon()

    def _budget(self, commands: str, *stop: str) -> None:
        budget = Budget(int(commands), "day", stops=bool(stop))
        self.world.broker = self.world.broker or Health.UP
        self.world.served = self.world.served or Served(0, "run", self.world.now)
        self.world.policies = replace(self.world.policies, brokers=("main",), budgets={"main": budget})

    def _spend(self, commands: str) -> None:
        self.world.served = Served(self.world.served.commands + int(commands), "run", self.world.now)

    def _broker(self, health: str) -> None:
        self.world.broker = Health(health)

    def _turned(self, _: str, *words: str) -> None:
        self.world.broker_says = " ".join(words)

    def _let(self, _: str) -> None:
        self.world.broker_says = ""

    def _hide(self, pool: str) -> None:
        self.world.hidden.add(pool)

    def _show(self, pool: str) -> None:
        self.world.hidden.remove(pool)

    def _kill(self, pool: str) -> None:
        self.world.kill_worker(self.world.alive(pool)[0].name)

    def _spec(self, pool: str, name: str) -> None:
        self.world.policies = shrunk(self.world.policies, pool, spec=name)

    def _hang(self, count: str) -> None:
        self.world.next_hang = int(count)

    def _lose(self, pool: str) -> None:
        self.world.lose_worker(self.world.alive(pool)[0].name)

    def _explain(self, pool: str) -> tuple[str, ...]:
        return waterfall(next(p for p in self.world.records[-1].decision.pools if p.pool == pool))

    def _pause(self, pool: str, direction: str, seconds: str = "") -> None:
        self._order(OrderKind.PAUSE, pool, seconds, direction=Direction(direction))

    def _scale(self, pool: str, count: str, seconds: str = "") -> None:
        self._order(OrderKind.SCALE, pool, seconds, replicas=int(count))

    def _drain(self, pool: str, one: str = "") -> None:
        self._order(OrderKind.DRAIN, pool, worker=self.world.alive(pool)[0].name if one else "")

    def _wake(self, pool: str, count: str = "0") -> None:
        self._order(OrderKind.WAKE, pool, tasks=int(count))

    def _resume(self, pool: str) -> None:
        self._order(OrderKind.RESUME, pool)

    def _order(self, kind: OrderKind, pool: str, seconds: str = "", **words: Any) -> None:
        now = self.world.now
        self.world.order(Order(kind, pool, now, "anna", until=now + float(seconds) if seconds else None, **words))

    def _end(self) -> Iterator[str]:
        world = self.world
        yield f"sent {world.sent}, done {world.done}, workers {len(world.workers)}, longest wait {max(world.waits, default=0.0):.1f} s"


def _damping(given: dict[str, str], way: str, default: str, stabilization: float | None) -> Damping:
    """How one direction is slowed down."""
    step = given.get(f"{way}_step", default)
    return Damping(
        max_step=int(step) if step.isdigit() else None,
        max_step_percent=float(step[:-1]) if step.endswith("%") else None,
        period_seconds=float(given.get(f"{way}_period", 0)),
        cooldown_seconds=float(given.get(f"{way}_cooldown", 0)),
        stabilization_seconds=stabilization,
    )


def played(scenario: Path) -> str:
    """The scenario's text with every transcript as it is now."""
    stage, out = Stage(), []
    for line in scenario.read_text().splitlines():
        if line.startswith(("    ", "----")):
            continue
        out.append(line)
        if line and not line.startswith("#") and (told := stage.play(line)):
            out += ["----", *(f"    {text}" for text in told)]
    return "\n".join(out) + "\n"
