"""How it goes on: on time, bounded, settled, silent about secrets, and to an end."""

from __future__ import annotations

import math

from autoscaler.model import (
    Decision,
    Memory,
    Observation,
    Policies,
    PoolDecision,
    Record,
    Result,
)
from autoscaler.report.plain import memory_to_json

from ..story import CANARY
from ..world import Life, World
from .common import Invariant, journal_rows, new_drains, unrest


class Converges(Invariant):
    key, promise = "I7", "P3"
    text = "some time after the last fault all work is done and every pool is back at its minimum, with nothing left behind"

    def at_end(self, world: World) -> None:
        if world.violations:
            return
        if trouble := unrest(world):
            self.broken(world, f"{world.machine.now - world.story.storm_seconds:.0f} s after the last fault: {trouble}")


class TicksOnTime(Invariant):
    key, promise = "I8", "P10"
    text = "the loop ticks within three intervals under any fault"

    def __init__(self) -> None:
        self._interval = 0.0
        self._decided: dict[object, float] = {}

    def on_decision(self, world: World, life: Life, policies: Policies, seen: Observation, memory: Memory, decision: Decision) -> None:
        now = world.machine.now
        since, self._decided[life.process] = max(self._decided.get(life.process, now), life.last_wake), now
        slowest = max(policies.interval_seconds, policies.idle_interval_seconds or 0.0)
        interval, self._interval = max(self._interval, slowest), slowest
        if now - since > 3 * interval:
            self.broken(world, f"{now - since:.1f} s between two ticks, and the interval is {interval:g} s")

    def at_end(self, world: World) -> None:
        life = world.life
        if life and life.last_tick is not None and life.daemon:
            late = world.machine.now - max(life.last_tick, life.last_wake)
            settings = life.daemon.settings
            if late > 3 * max(settings.interval, settings.idle_interval or 0.0) + 1.0:
                self.broken(world, f"the last tick was {late:.1f} s ago")


class Bounded(Invariant):
    key, promise = "I9", "P10"
    text = "threads, remembered things and series stay bounded"
    threads, letters, series = 14, 20_000, 3_000

    def on_tick(self, world: World, life: Life, policies: Policies, before: Memory, record: Record, after: Memory) -> None:
        if life.process.living > self.threads:
            self.broken(world, f"{life.process.living} threads: {sorted(thread.name for thread in life.process.threads)}")
        if life.ticks % 16 == 0 and len(text := memory_to_json(after)) > self.letters:
            self.broken(world, f"the memory has {len(text)} letters: {text[:400]}")

    def at_end(self, world: World) -> None:
        if world.life and world.life.daemon and world.life.ticks:
            lines = world.metrics_page().count("\n")
            if lines > self.series:
                self.broken(world, f"the metrics page has {lines} lines")


class KeepsSecrets(Invariant):
    key, promise = "I10", "P12"
    text = "no secret appears in logs, metrics, journal or labels"

    def at_end(self, world: World) -> None:
        places = {
            "the log": world.lines,
            "the journal": journal_rows(world),
            "labels": (str(dict(box.labels)) for box in world.ours()),
            "the metrics": [world.metrics_page()],
        }
        for place, texts in places.items():
            if any(CANARY in text for text in texts):
                self.broken(world, f"a secret stands in {place}")


class Settles(Invariant):
    key, promise = "I14", "P10"
    text = "asked twice the decision is the same, and after it is carried out the same sight asks for nothing more"

    def on_tick(self, world: World, life: Life, policies: Policies, before: Memory, record: Record, after: Memory) -> None:
        if not record.decision.actions and life.ticks % 8:
            return
        if world.decide(policies, record.observation, before, record.at) != record.decision:
            self.broken(world, "asked twice, it decides differently")
        if any(outcome.result in (Result.FAILED, Result.NOTHING_TO_DO) for outcome in record.outcomes):
            return
        again = world.decide(policies, record.observation, after, record.at)
        if again.brokers.active != record.decision.brokers.active:
            return
        if any(step.rule in ("max_step", "rolling") for made in (record.decision, again) for pool in made.pools for step in pool.steps):
            return  # the next step may follow at once, also that of a pool that waits for its room
        first = {lane.key: lane for lane in record.decision.lanes}
        for pool in again.lanes:
            if pool.key not in first:
                continue  # a lane is there as soon as something was started on it
            policy = policies.pools.get(pool.pool)
            if policy and policy.spare:
                continue  # what starts counts as free, so the spare one is asked for in the look after: known, and harmless
            if any(p.pool == pool.pool and p.reason == "Unacknowledged" for p in record.decision.pools):
                continue  # who leaves and does not say what it holds may hold what was thought to be left behind
            grows = pool.desired > max(first[pool.key].desired, pool.current)
            if grows and _together(again, pool.pool) <= _together(record.decision, pool.pool):
                continue  # the room of another lane, which the first look alone did not take away
            drained = new_drains(first[pool.key], before)  # where none was, the same sight may be the second look that it takes
            if grows or (drained and new_drains(pool, after) and _had_agreed(pool, before)):
                self.broken(world, f"it asks a second time for what is done: {pool.steps}; the first time: {record.decision.actions}")


def _together(decision: Decision, pool: str) -> int:
    """What all lanes of a pool should have."""
    return sum(lane.desired for lane in decision.lanes if lane.pool == pool)


def _had_agreed(pool: PoolDecision, before: Memory) -> bool:
    """Whether the look before the first one asked for no more, so that two looks agreed already."""
    recommended = before.of(pool.key).recommendations
    return bool(recommended) and recommended[-1][1] <= pool.desired


class StartsGetTheirTime(Invariant):
    key, promise = "I15", "P1"
    text = "no worker is given up before its start timeout is over"

    def on_decision(self, world: World, life: Life, policies: Policies, seen: Observation, memory: Memory, decision: Decision) -> None:
        for pool in decision.lanes:
            for replica in pool.view.failed_starts:
                box = world.docker.boxes.get(replica.container_id)
                age = world.machine.now - box.born if box else math.inf
                if age < policies.pools[pool.pool].start_timeout_seconds - 1.5:
                    self.broken(world, f"{replica.name} is given up {age:.1f} s after its start, before start.timeout")


class NoCatchingUp(Invariant):
    key, promise = "I16", "P10"
    text = "a jump of the wall clock brings no burst of ticks and no long pause: pauses are of the monotonic clock"

    def __init__(self) -> None:
        self._began: dict[object, float] = {}
        self._interval = 0.0

    def on_decision(self, world: World, life: Life, policies: Policies, seen: Observation, memory: Memory, decision: Decision) -> None:
        since, self._began[life.process] = self._began.get(life.process, -math.inf), life.tick_began
        interval, self._interval = min(self._interval, policies.interval_seconds), policies.interval_seconds
        if max(life.last_wake, world.ordered_at + policies.interval_seconds) < since and life.tick_began - since < 0.4 * interval:
            self.broken(world, f"only {life.tick_began - since:.2f} s between two ticks")
