"""Plays a scenario: a text file of commands, each followed by what the loop did, tick by tick.

    pool NAME key=value ...     a pool; keys: min max slots up max_wait down target_wait backlog_per_replica spare stabilization
    runtime SECONDS             how long a task takes from now on
    send POOL COUNT             tasks arrive
    run SECONDS                 tick every two seconds
    flower down|up              Flower answers or does not
    engine down|up|refusing     the list of containers is there or not; refusing: no start succeeds
    restart                     the daemon is killed and starts without a journal
    kill POOL                   one of the pool's workers dies
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

from world import World

from autoscaler.model import BacklogPerReplica, Damping, Direction, Order, OrderKind, Policies, PoolPolicy, Record, TargetWait, Thresholds

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
        given = {key: float(value) for key, _, value in (word.partition("=") for word in settings)}
        sizing = Thresholds(int(given.get("up", 0)), given.get("max_wait", 15.0), int(given.get("down", 0)))
        policy = PoolPolicy(
            name,
            (name,),
            int(given.get("min", 0)),
            int(given.get("max", 8)),
            slots=int(given.get("slots", 1)),
            sizing=TargetWait(given["target_wait"]) if "target_wait" in given
            else BacklogPerReplica(given["backlog_per_replica"]) if "backlog_per_replica" in given
            else sizing,
            spare=int(given.get("spare", 0)),
            scale_down=Damping(max_step_percent=100.0, stabilization_seconds=given.get("stabilization")),
        )  # fmt: skip
        self.world.policies = replace(self.world.policies, pools={**self.world.policies.pools, name: policy})
        self.world.waiting.setdefault(name, [])

    def _runtime(self, seconds: str) -> None:
        self.world.runtime = float(seconds)

    def _send(self, pool: str, count: str) -> None:
        self.world.send(pool, int(count))

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

    def _kill(self, pool: str) -> None:
        self.world.kill_worker(self.world.alive(pool)[0].name)

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
