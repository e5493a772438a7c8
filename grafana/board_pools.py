"""Two boards: all pools at a glance, and one pool in depth."""

from __future__ import annotations

from board_parts import BLIND, CONFIG, COUNTING, FAILED, HELD, INTERRUPTED, LAST_TICK, OLDEST, RUNNING, WAITING, WORKING
from queries import growth, pool, rate, spread, worker
from shapes import CONFIG_NOTE, INSTANCE, JOB, POOL, POOLS, WORKERS, Board, Row, curves, note

OVERVIEW = Board(
    "overview",
    "celery-autoscaler",
    "Celery autoscaler",
    "How many workers there are, how many there should be, and why.",
    (JOB, INSTANCE, POOLS),
    (
        Row("Now", (WAITING, WORKING, RUNNING, OLDEST, LAST_TICK, CONFIG)),
        Row(
            "Pools",
            (
                curves(
                    "Tasks waiting",
                    "Backlog of each pool. A gap means that it could not be seen.",
                    (f"sum by (pool) ({pool('pool_backlog_tasks')})", "{{pool}}"),
                ),
                curves(
                    "Workers",
                    "Replicas that count, of each pool, and beside them how many it should have.",
                    (f"sum by (pool) ({pool('replicas', COUNTING)})", "{{pool}}"),
                    (f"sum by (pool) ({pool('replicas_desired')})", "{{pool}} desired"),
                    steps=True,
                ),
                curves(
                    "Wait of the oldest task",
                    "Upper bound: how long the queues of the pool have not been empty.",
                    (f"max by (pool) ({pool('pool_wait_seconds')})", "{{pool}}"),
                    unit="s",
                ),
                curves(
                    "Slots in use",
                    "Share of the slots on starting and ready workers that run a task. Absent without a slot.",
                    (f"sum by (pool) ({pool('pool_busy_slots')}) / (sum by (pool) ({pool('pool_slots')}) > 0)", "{{pool}}"),
                    unit="percentunit",
                ),
            ),
        ),
        Row("What holds them back", (HELD, BLIND)),
        Row(
            "What was done",
            (
                curves(
                    "Actions",
                    "Starts, drains, kills and removals that ended, by how they ended.",
                    (f"60 * sum by (action, outcome) ({rate(pool('actions_total'))}) > 0", "{{action}} {{outcome}}"),
                    unit="cpm",
                ),
                curves(
                    "Failed workers and interrupted tasks",
                    "Ends that nobody asked for, by reason, and running tasks that were cut off by a kill.",
                    (f"sum by (pool, reason) ({growth(pool('worker_failures_total'))}) > 0", "{{pool}} {{reason}}"),
                    (f"sum by (pool) ({growth(pool('tasks_interrupted_total'))})", "{{pool}} interrupted tasks"),
                ),
            ),
        ),
    ),
)


CHANGES = note(
    "Decisions",
    "orange",
    f"""sum by (direction, reason) ({growth(pool("decisions_total", 'direction!="none"'))}) > 0""",
    "{{direction}}",
    "{{reason}}",
)
FAILURES = note(
    "Failed workers",
    "red",
    f"sum by (reason) ({growth(pool('worker_failures_total'))}) > 0",
    "worker failed",
    "{{reason}}",
)

ONE_POOL = Board(
    "pool",
    "celery-autoscaler-pool",
    "Celery autoscaler: one pool",
    "One pool in depth: what it should have and has, why, how its workers come and go, and what they run. "
    "Decisions are marked on every graph.",
    (JOB, INSTANCE, POOL, WORKERS),
    (
        Row("Now", (WAITING, WORKING, RUNNING, OLDEST, FAILED, INTERRUPTED)),
        Row(
            "Count",
            (
                curves(
                    "Asked for, desired, there",
                    "Recommended is what the work asks for; desired is what is left of it after windows, steps, cooldowns and bounds; "
                    "there are the workers that count.",
                    (f"sum({pool('replicas_recommended')})", "recommended"),
                    (f"sum({pool('replicas_desired')})", "desired"),
                    (f"sum({pool('replicas', COUNTING)})", "there"),
                    (f"sum({pool('replicas_min')})", "min"),
                    (f"sum({pool('replicas_max')})", "max"),
                    steps=True,
                ),
                curves(
                    "Workers by phase",
                    "starting -> ready -> draining -> stopping; lost: a container whose worker is not heard; foreign: a worker without a "
                    "container of ours.",
                    (f"sum by (phase) ({pool('replicas')})", "{{phase}}"),
                    stacked=True,
                    steps=True,
                ),
                curves(
                    "Waiting by queue",
                    "Tasks that wait in each queue of the pool. A gap means that it could not be seen.",
                    (f"sum by (queue) ({pool('queue_backlog_tasks')})", "{{queue}}"),
                    stacked=True,
                ),
                curves(
                    "Slots",
                    "Slots of the starting and ready workers, and those that run a task.",
                    (f"sum({pool('pool_slots')})", "slots"),
                    (f"sum({pool('pool_busy_slots')})", "in use"),
                    steps=True,
                ),
                curves(
                    "Wait of the oldest task",
                    "Upper bound: how long the queues of the pool have not been empty.",
                    (f"max({pool('pool_wait_seconds')})", "at most"),
                    unit="s",
                    wide=True,
                ),
            ),
        ),
        Row(
            "Why",
            (
                HELD,
                BLIND,
                curves(
                    "Decisions that change something",
                    "Ticks that asked for more or fewer workers than there were, by direction and reason.",
                    (
                        f"""60 * sum by (direction, reason) ({rate(pool("decisions_total", 'direction!="none"'))}) > 0""",
                        "{{direction}} {{reason}}",
                    ),
                    unit="cpm",
                ),
                curves(
                    "Reasons",
                    "The reason of every tick, also where nothing changes: how the pool spends its time.",
                    (f"sum by (reason) ({rate(pool('decisions_total'))}) > 0", "{{reason}}"),
                    unit="ops",
                    stacked=True,
                ),
            ),
        ),
        Row(
            "Coming and going",
            (
                curves(
                    "Time to start",
                    "From the container's creation until the worker is heard: half of the starts, and 95 of 100, are faster.",
                    *spread(pool("worker_start_seconds_bucket")),
                    unit="s",
                ),
                curves(
                    "Time to leave",
                    "From the signal to leave until the container is gone: the tasks that it still ran are in it.",
                    *spread(pool("worker_drain_seconds_bucket")),
                    unit="s",
                ),
                curves(
                    "Actions",
                    "Starts, drains, kills and removals that ended, by how they ended.",
                    (f"60 * sum by (action, outcome) ({rate(pool('actions_total'))}) > 0", "{{action}} {{outcome}}"),
                    unit="cpm",
                ),
                curves(
                    "Failed workers and interrupted tasks",
                    "Ends that nobody asked for, by reason, and running tasks that were cut off by a kill.",
                    (f"sum by (reason) ({growth(pool('worker_failures_total'))}) > 0", "{{reason}}"),
                    (f"sum({growth(pool('tasks_interrupted_total'))})", "interrupted tasks"),
                ),
            ),
        ),
        Row(
            "What the workers say (worker.metrics_port)",
            (
                curves(
                    "Tasks in hand",
                    "Running, prefetched, and held until their time has come (ETA), on all workers that have a page of their own.",
                    (f"sum({worker('running_tasks')})", "running"),
                    (f"sum({worker('reserved_tasks')})", "prefetched"),
                    (f"sum({worker('scheduled_tasks')})", "scheduled"),
                    stacked=True,
                ),
                curves(
                    "Throughput",
                    "Tasks that began and tasks that ended, per second.",
                    (f"sum({rate(worker('tasks_started_total'))})", "started"),
                    (f"sum({rate(worker('tasks_finished_total'))})", "finished"),
                    unit="ops",
                ),
                curves(
                    "Runtime of tasks",
                    "Half of the tasks, and 95 of 100, ran for less than this.",
                    *spread(worker("task_runtime_seconds_bucket")),
                    unit="s",
                ),
                curves(
                    "Workers that consume",
                    "By what they say of themselves: ready, and on their way out; by queue those that take tasks from it; "
                    "and all their slots.",
                    (f"sum({worker('ready')})", "ready"),
                    (f"sum({worker('draining')})", "draining"),
                    (f"sum by (queue) ({worker('consuming')})", "consuming {{queue}}"),
                    (f"sum({worker('slots')})", "slots"),
                    steps=True,
                ),
            ),
        ),
    ),
    (CONFIG_NOTE, CHANGES, FAILURES),
)
