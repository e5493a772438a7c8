"""Strategies: any pool, any look, any memory. What they have in common is only that they could be."""

from __future__ import annotations

from dataclasses import replace

from builders import NOW, a_policy, an_order, container, seen, worker
from hypothesis import strategies as st

from autoscaler.model import (
    BacklogPerReplica,
    ContainerState,
    Damping,
    Direction,
    Drain,
    Flow,
    Memory,
    OrderKind,
    PoolMemory,
    TargetWait,
    Thresholds,
)

counts = st.integers(0, 40)
maybe = st.none() | st.integers(0, 6)
maybe_counts = st.none() | counts
dampings = st.builds(
    Damping,
    max_step=st.none() | st.integers(1, 5),
    max_step_percent=st.none() | st.floats(1, 200),
    period_seconds=st.sampled_from([0.0, 40.0]),
    cooldown_seconds=st.sampled_from([0.0, 30.0]),
    stabilization_seconds=st.sampled_from([None, 0.0, 60.0]),
)
states = st.sampled_from([ContainerState.RUNNING] * 6 + [ContainerState.EXITED, ContainerState.CREATED])
scheduled = st.sampled_from([0] * 6 + [3])
sizings = st.one_of(
    st.builds(Thresholds, st.integers(0, 10), st.just(15.0), st.integers(0, 5)),
    st.builds(TargetWait, st.floats(0, 60)),
    st.builds(BacklogPerReplica, st.floats(0.5, 20)),
)


@st.composite
def a_flow(draw):
    """Any measured past, or none."""
    looks = draw(st.lists(st.tuples(st.floats(0.1, 90), st.integers(0, 50)), max_size=4))
    times, arrived = sorted((NOW - ago for ago, _ in looks)), sorted(n for _, n in looks)
    return Flow(
        at=draw(st.none() | st.just(NOW - 2.0)),
        started=draw(st.integers(0, arrived[-1] if arrived else 0)),
        busy_seconds=draw(st.floats(0, 1000)),
        done=draw(st.floats(0, 1000)),
        arrivals=tuple(zip(times, arrived, strict=True)),
        arrival_rate=draw(st.floats(0, 5)),
    )


@st.composite
def a_pool(draw):
    """A policy with any bounds, sizing and damping."""
    low = draw(st.integers(0, 5))
    return a_policy(
        replicas_min=low,
        replicas_max=low + draw(st.integers(0, 20)),
        slots=draw(st.integers(1, 8)),
        sizing=draw(sizings),
        spare=draw(st.integers(0, 2)),
        scale_up=draw(dampings),
        scale_down=draw(dampings),
        kill_on_drain_timeout=draw(st.booleans()),
    )


ages = st.sampled_from([0.5, 4.0, 59.0, 61.0, 500.0])
online = st.sampled_from([True, True, False, None])
a_worker = st.tuples(ages, states, st.sampled_from([None, 0, 1]), maybe, st.integers(0, 3), scheduled, online)
"""Age, state, exit code, and what its voice says: running (or nothing at all), prefetched, scheduled, online."""


@st.composite
def a_look(draw, waiting=maybe_counts):
    """Any backlog, containers of any age and state, voices that say anything or nothing."""
    replicas = [(f"w{i}", *drawn) for i, drawn in enumerate(draw(st.lists(a_worker, max_size=8)))]
    return seen(
        waiting=draw(waiting),
        unacked=draw(maybe),
        containers=[container(n, age=age, state=state, exit_code=code) for n, age, state, code, *_ in replicas],
        workers=[worker(n, running, reserved=held, scheduled=eta, online=on) for n, _, _, _, running, held, eta, on in replicas],
        flower=draw(st.booleans()),
    )


@st.composite
def a_steered_look(draw):
    """The same, with any standing orders."""
    kinds = st.sampled_from([kind for kind in OrderKind if kind not in (OrderKind.RESUME, OrderKind.RELOAD)])
    orders = st.builds(
        an_order,
        kinds,
        until=st.sampled_from([None, NOW - 1, NOW + 60]),
        direction=st.sampled_from(Direction),
        replicas=counts,
        worker=st.sampled_from(["", "w0", "w1", "gone"]),
        tasks=counts,
    )
    return replace(draw(a_look()), orders={"p": tuple(draw(st.lists(orders, max_size=4)))})


@st.composite
def a_memory(draw):
    """Any window, changes, cooldown, drains, pending starts and backoff."""
    window = tuple(sorted((NOW - ago, n) for ago, n in draw(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 20)), max_size=5))))
    changes = tuple(sorted((NOW - ago, n) for ago, n in draw(st.lists(st.tuples(st.floats(0, 60), st.integers(-4, 4)), max_size=3))))
    failures = draw(st.integers(0, 2))
    return Memory(
        {
            "p": PoolMemory(
                recommendations=window,
                changes=changes,
                last_up=draw(st.none() | st.floats(NOW - 100, NOW)),
                last_down=draw(st.none() | st.floats(NOW - 100, NOW)),
                drains=tuple(Drain(f"w{i}", NOW - draw(st.floats(0, 4000)), "x") for i in draw(st.sets(st.integers(0, 12), max_size=4))),
                ready=tuple(f"w{i}" for i in draw(st.sets(st.integers(0, 12)))),
                flow=draw(a_flow()),
                pending=tuple((f"new{i}", NOW - draw(st.floats(0, 70))) for i in range(draw(st.integers(0, 2)))),
                silent=tuple((f"w{i}", NOW - draw(st.floats(0, 30))) for i in draw(st.sets(st.integers(0, 12), max_size=2))),
                none_idle_since=draw(st.none() | st.floats(NOW - 100, NOW)),
                failures=failures,
                backoff_until=draw(st.sampled_from([NOW - 5, NOW + 30])) if failures else 0.0,
            )
        }
    )
