"""Panels that more than one board has, and the words that several panels use."""

from __future__ import annotations

from queries import daemon, in_range, pool
from shapes import number, states

COUNTING = 'phase=~"starting|ready|lost"'
"""Replicas that count against the wanted number: the leaving ones and those of others do not."""
YES_NO = {"0": ("no", "transparent"), "1": ("yes", "red")}
UP_DOWN = {"0": ("down", "red"), "1": ("up", "green")}


LAST_TICK = number(
    "Last tick",
    "Time since the loop last began a tick. It grows when the daemon hangs or is gone.",
    (f"time() - max({daemon('last_tick_timestamp_seconds')})", "age"),
    unit="s",
    steps=[("orange", "30"), ("red", "120")],
)
CONFIG = number(
    "Configuration in force",
    "Whether the newest config.yaml is in force; if not, it was refused and the one before it still is.",
    (f"min({daemon('config_last_reload_successful')})", "accepted"),
    unit="none",
    words={"0": ("refused", "red"), "1": ("newest", "green")},
)
WAITING = number(
    "Waiting",
    "Tasks that wait in the queues of the chosen pools. Unknown while a queue cannot be seen: not seeing is not zero.",
    (f"sum({pool('pool_backlog_tasks')})", "tasks"),
)
WORKING = number(
    "Workers",
    "Replicas that are starting, ready or lost. Those that are leaving count no more.",
    (f"sum({pool('replicas', COUNTING)})", "workers"),
)
RUNNING = number(
    "Tasks running",
    "Running and prefetched tasks on workers that stay. Unknown while a ready worker does not say what it runs.",
    (f"sum({pool('pool_busy_slots')})", "tasks"),
)
OLDEST = number(
    "Oldest task waits",
    "Upper bound on the wait of the oldest waiting task: how long the queues have not been empty.",
    (f"max({pool('pool_wait_seconds')})", "seconds"),
    unit="s",
)
FAILED = number(
    "Failed workers",
    "Workers that ended or failed to begin unasked, in the time that is shown.",
    (f"sum({in_range(pool('worker_failures_total'))})", "workers"),
    steps=[("orange", "0.5")],
)
INTERRUPTED = number(
    "Interrupted tasks",
    "Running tasks cut off by a kill after the drain's deadline, in the time that is shown. Only on_timeout: kill does this.",
    (f"sum({in_range(pool('tasks_interrupted_total'))})", "tasks"),
    steps=[("red", "0.5")],
)
HELD = states(
    "Held back by",
    "Each reason that holds a pool's count away from what the work asks for. docs/reasons.md explains them.",
    (f"max by (pool, reason) ({pool('scaling_limited')}) > 0", "{{pool}}: {{reason}}"),
    words={"1": ("holds", "orange")},
)
BLIND = states(
    "Blind and paused",
    "A blind pool is never scaled down, because something that is needed for it cannot be seen; a paused pool is held by an operator.",
    (f"max by (pool) ({pool('pool_blind')})", "{{pool}} blind"),
    (f"max by (pool) ({pool('pool_paused')})", "{{pool}} paused"),
    words=YES_NO,
)
SOURCES = states(
    "Sources",
    "Who answered in the last look: Flower, the engine (fleet), the brokers, and the workers' own pages.",
    (f"min by (source) ({daemon('source_up')})", "{{source}}"),
    words=UP_DOWN,
)
