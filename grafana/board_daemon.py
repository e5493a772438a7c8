"""The daemon itself: whether it ticks on time, what it sees with, who asks it, and what it uses."""

from __future__ import annotations

from board_parts import CONFIG, LAST_TICK, SOURCES
from queries import daemon, process, quantile, rate, spread
from shapes import INSTANCE, JOB, Board, Row, curves, number, states

DAEMON = Board(
    "daemon",
    "celery-autoscaler-daemon",
    "Celery autoscaler: the daemon itself",
    "Whether it ticks on time, what it sees with, who asks it, and what it uses.",
    (JOB, INSTANCE),
    (
        Row(
            "Now",
            (
                LAST_TICK,
                CONFIG,
                number(
                    "Configuration loaded",
                    "Since when the configuration that is in force has been.",
                    (f"1000 * max({daemon('config_last_reload_success_timestamp_seconds')})", "since"),
                    unit="dateTimeFromNow",
                ),
                number(
                    "Up for",
                    "Since the start of the process. A restart changes nothing for the workers.",
                    (f"time() - max({process('start_time_seconds')})", "age"),
                    unit="s",
                ),
                number(
                    "Versions",
                    "Different builds of the chosen daemons: more than one while an upgrade is under way.",
                    (f"count(count by (version, python_version) ({daemon('build_info')}))", "versions"),
                    steps=[("orange", "1.5")],
                ),
                number(
                    "Configurations",
                    "Different configurations in force, by the hash of their file, on the chosen daemons.",
                    (f"count(count by (hash) ({daemon('config_info')}))", "configurations"),
                ),
            ),
        ),
        Row(
            "The loop",
            (
                curves(
                    "Time of a tick",
                    "From looking to telling. A tick waits at most half an interval for late answers.",
                    *spread(daemon("tick_seconds_bucket")),
                    unit="s",
                ),
                curves(
                    "Ticks",
                    "Per minute, as they were and as they should be: 60 divided by the interval, which may be longer at rest.",
                    (f"60 * sum by (instance) ({rate(daemon('tick_seconds_count'))})", "{{instance}}"),
                    (f"60 / max by (instance) ({daemon('interval_seconds')})", "{{instance}} due"),
                    unit="cpm",
                ),
            ),
        ),
        Row(
            "What it sees with",
            (
                SOURCES,
                states(
                    "In charge",
                    "Where several daemons share a state folder, one is in charge and the others stand by.",
                    (f"max by (instance) ({daemon('standby')})", "{{instance}}"),
                    words={"0": ("in charge", "green"), "1": ("stands by", "transparent")},
                ),
                curves(
                    "Looks that failed",
                    "Share of the looks at each source without a usable answer.",
                    (
                        f"""sum by (source) ({rate(daemon("source_requests_total", 'outcome!="success"'))})"""
                        f" / sum by (source) ({rate(daemon('source_requests_total'))})",
                        "{{source}}",
                    ),
                    unit="percentunit",
                ),
                curves(
                    "Time of a look",
                    "95 of 100 looks at a source took less than this.",
                    (quantile(0.95, daemon("source_request_seconds_bucket"), "source"), "{{source}}"),
                    unit="s",
                ),
            ),
        ),
        Row(
            "What it serves and keeps",
            (
                curves(
                    "Requests by route",
                    "Answered requests per minute: scrapes, the page, the command line.",
                    (f"60 * sum by (route) ({rate(daemon('http_requests_total'))})", "{{route}}"),
                    unit="cpm",
                ),
                curves(
                    "Refused requests and lost records",
                    "Requests that were turned away or failed, by code (401 and 429: wrong tokens), and records that the "
                    "journal could not keep.",
                    (f"""60 * sum by (code) ({rate(daemon("http_requests_total", 'code=~"[45].."'))}) > 0""", "{{code}}"),
                    (f"60 * sum({rate(daemon('journal_write_errors_total'))})", "lost records"),
                    unit="cpm",
                ),
            ),
        ),
        Row(
            "What it uses",
            (
                curves(
                    "Memory",
                    "Resident memory of the process.",
                    (process("resident_memory_bytes"), "{{instance}}"),
                    unit="bytes",
                ),
                curves(
                    "CPU",
                    "Cores in use.",
                    (rate(process("cpu_seconds_total")), "{{instance}}"),
                    unit="percentunit",
                ),
                curves(
                    "Open files and sockets",
                    "Share of those that the process may have.",
                    (f"{process('open_fds')} / {process('max_fds')}", "{{instance}}"),
                    unit="percentunit",
                    wide=True,
                ),
            ),
        ),
    ),
)
