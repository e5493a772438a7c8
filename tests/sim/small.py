"""Small traces and pools for the tests of the simulator."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from autoscaler.model import BacklogPerReplica, Damping, Policies, PoolPolicy, TargetWait, Thresholds
from autoscaler.sim.arrivals import Trace, trace_of
from autoscaler.sim.run import Run, run, run_every_tick
from autoscaler.sim.world import Boot

BOOT = Boot(3.0)


def a_pool(**changes) -> PoolPolicy:
    """One queue, one slot, at most twenty replicas."""
    return replace(PoolPolicy("p", ("q",), 0, 20, slots=1), **changes)


def ran(policy: PoolPolicy, trace: Trace, *, interval: float = 1.0, boot: Boot = BOOT, skip: bool = True, **options) -> Run:
    """A trace run to its end under this policy, with every tick where none is to be left out; `options` are those of `run`."""
    policies = Policies("t", interval, 1000, {policy.name: policy})
    return (run if skip else run_every_tick)(lambda _: policies, trace, boot, **options)


tasks = st.tuples(st.floats(0, 400).map(lambda s: round(s, 2)), st.floats(0, 60).map(lambda s: round(s, 2)))
traces = st.lists(tasks, min_size=1, max_size=25).map(trace_of)
sizings = st.sampled_from([Thresholds(), Thresholds(up=3, max_wait_seconds=8.0), TargetWait(0.0), TargetWait(10.0), BacklogPerReplica(2.0)])
downs = st.sampled_from(
    [
        Damping(max_step_percent=100.0),
        Damping(max_step=1, cooldown_seconds=7.0, stabilization_seconds=0.0),
        Damping(max_step_percent=50.0, stabilization_seconds=33.3),
        Damping(max_step=2, period_seconds=20.0, stabilization_seconds=3.0),
    ]
)
pools = st.builds(
    a_pool,
    slots=st.integers(1, 3),
    replicas_min=st.integers(0, 2),
    replicas_max=st.integers(2, 6),
    sizing=sizings,
    spare=st.integers(0, 1),
    scale_down=downs,
    scale_up=st.sampled_from(
        [
            Damping(stabilization_seconds=0.0),
            Damping(max_step=1, cooldown_seconds=5.0, stabilization_seconds=4.0),
            Damping(max_step_percent=100.0, period_seconds=15.0, stabilization_seconds=0.0),
        ]
    ),
    drain_timeout_seconds=st.sampled_from([5.0, 1800.0]),
    kill_on_drain_timeout=st.booleans(),
)
