"""One pool's past under another configuration, as one value: decision by decision, and as an estimate of what would have come of it.

`cli/replay.py` hands in the settings and the looks and prints what comes out. Everything that limits what may be concluded from it
is part of the value, in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autoscaler.config.models import Settings
from autoscaler.errors import TraceUnusable
from autoscaler.report.ticks import Look, PoolTick
from autoscaler.sim.reconstruct import Rebuilt, rebuild
from autoscaler.sim.replay import Answer, Moment, lengths, moments, replay
from autoscaler.sim.retrace import Estimate, Figures, estimate, measured
from autoscaler.sim.simulate import policies_of

FAR_OFF = 0.1
"""Where the simulation of what was decided misses what was measured by more than this share, that is said."""


@dataclass(frozen=True, slots=True)
class Review:
    """What this configuration would have made of a pool's past."""

    pool: str
    since: float
    until: float
    looks: int
    compared: int
    """Looks at which the settings alone say what should have been decided."""
    differing: int
    moments: tuple[Moment, ...]
    wanted_seconds: tuple[float, float]
    """Replicas that were wanted, over time, and those that this configuration would have wanted at the same moments."""
    measured: Figures
    estimate: Estimate | None
    notes: tuple[str, ...]


def review(settings: Settings, looks: Sequence[Look], epoch: float = 0.0) -> dict[str, Review]:
    """Every configured pool that was seen; times of looks count from `epoch`."""
    answers: dict[str, list[Answer]] = {}
    always = None if any(pool.schedules for pool in settings.pools.values()) else settings.policies(epoch)
    for answered in replay(lambda at: always or settings.policies(epoch + at), looks):
        for pool, answer in answered.items():
            answers.setdefault(pool, []).append(answer)
    return {pool: _of_pool(settings, pool, found, epoch, began=looks[0].fresh) for pool, found in answers.items()}


def _of_pool(settings: Settings, pool: str, answers: Sequence[Answer], epoch: float, *, began: bool) -> Review:
    ticks = [answer.past for answer in answers]
    rebuilt, why_not = _rebuilt(ticks)
    estimated = estimate(policies_of(settings, pool, epoch + rebuilt.begins_at), rebuilt, ticks) if rebuilt else None
    figures = measured(ticks, rebuilt)
    notes = (
        *_of_looks(ticks, began=began),
        *_of_slots(ticks, settings.pools[pool].slots),
        *([f"no estimate: {why_not}"] if why_not else []),
        *_of_estimate(figures, rebuilt, estimated),
    )
    return Review(
        pool=pool,
        since=ticks[0].at,
        until=ticks[-1].at,
        looks=len(ticks),
        compared=sum(answer.is_compared for answer in answers),
        differing=sum(answer.differs for answer in answers),
        moments=tuple(moments(answers)),
        wanted_seconds=(
            sum(answer.past.desired * answer.seconds for answer in answers),
            sum((answer.decided.desired if answer.is_compared else answer.past.desired) * answer.seconds for answer in answers),
        ),
        measured=figures,
        estimate=estimated,
        notes=notes,
    )


def _rebuilt(ticks: Sequence[PoolTick]) -> tuple[Rebuilt | None, str]:
    try:
        return rebuild(ticks), ""
    except TraceUnusable as error:
        return None, str(error)


def _of_looks(ticks: Sequence[PoolTick], *, began: bool) -> Iterator[str]:
    for why, looks in Counter(tick.beyond_settings for tick in ticks if tick.beyond_settings).items():
        yield f"{looks:,} {'looks are' if looks > 1 else 'look is'} not compared: {why}"
    times = [tick.at for tick in ticks]
    paused = times[-1] - times[0] - sum(lengths(times))
    if paused > 1:
        yield f"for {paused / 60:.0f} min in all nobody looked; what happened then is not counted"
    if not began:
        yield "what the daemon remembered before the first look is not known: its first minutes may differ for that reason alone"


def _of_slots(ticks: Sequence[PoolTick], slots: int) -> Iterator[str]:
    most = max((-(-tick.busy // tick.ready) for tick in ticks if tick.busy and tick.ready), default=0)
    if most > slots:
        yield f"a worker then ran up to {most} tasks at once, this configuration says slots: {slots}"


def _of_estimate(happened: Figures, rebuilt: Rebuilt | None, estimated: Estimate | None) -> Iterator[str]:
    if rebuilt is None or estimated is None:
        return
    if rebuilt.still_running:
        yield f"tasks that still ran at the last look: {rebuilt.still_running:,}; how long they take is a guess"
    simulated = estimated.happened.worker_seconds
    if happened.worker_seconds and abs(simulated / happened.worker_seconds - 1) > FAR_OFF:
        off = f"{simulated / happened.worker_seconds:.2f} times the worker time that was measured"
        yield f"the simulation makes of what was decided then {off}: believe how both simulations compare, not what each says"
