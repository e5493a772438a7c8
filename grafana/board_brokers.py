"""Brokers: which one is active, what the fleet costs each, and what is left of the budget."""

from __future__ import annotations

from board_parts import UP_DOWN
from queries import daemon, growth, in_range, rate
from shapes import CONFIG_NOTE, INSTANCE, JOB, Board, Row, curves, gauge, note, number, states, typed, variable

MONTH_SECONDS = 2_629_746
"""A twelfth of a year."""

BROKER = variable("broker", "Broker", f"label_values({daemon('broker_active')}, broker)")
PRICE = typed("price", "Price of 100,000 commands", "0.20")
CHOSEN = 'broker=~"$broker"'
PER_SECOND = daemon("broker_commands_per_second", CHOSEN)

BROKERS = Board(
    "brokers",
    "celery-autoscaler-brokers",
    "Celery autoscaler: brokers and their cost",
    "Which broker is active, how many commands the fleet sends to each and who causes them, and what is left of the budget.",
    (JOB, INSTANCE, BROKER, PRICE),
    (
        Row(
            "Now",
            (
                number(
                    "Commands a day",
                    "At the pace of this moment, all senders together. All but the autoscaler's own are estimates that add up to the "
                    "broker's own count.",
                    (f"86400 * sum({PER_SECOND})", "commands"),
                ),
                number(
                    "Commands a month",
                    "At the pace of this moment.",
                    (f"{MONTH_SECONDS} * sum({PER_SECOND})", "commands"),
                ),
                number(
                    "Cost a month",
                    "At the pace of this moment and the price at the top of the page, for a broker that is paid by commands.",
                    (f"{MONTH_SECONDS} * sum({PER_SECOND}) / 100000 * $price", "cost"),
                    unit="currencyUSD",
                ),
                number(
                    "Idle workers a month",
                    "What the workers that only wait for work cost, at the pace of this moment and the price at the top of the page.",
                    (
                        f"""{MONTH_SECONDS} * sum({daemon("broker_commands_per_second", CHOSEN, 'by="idle"')}) / 100000 * $price""",
                        "cost",
                    ),
                    unit="currencyUSD",
                ),
                number(
                    "Commands shown",
                    "All commands in the time that is shown.",
                    (f"sum({in_range(daemon('broker_commands_total', CHOSEN))})", "commands"),
                ),
                number(
                    "Failovers shown",
                    "Changes of the active broker in the time that is shown.",
                    (f"sum({in_range(daemon('broker_failovers_total', CHOSEN))})", "failovers"),
                    steps=[("orange", "0.5")],
                ),
            ),
        ),
        Row(
            "Health",
            (
                states(
                    "Serves",
                    "Whether each broker answered the autoscaler's own last look.",
                    (f"min by (broker) ({daemon('broker_up', CHOSEN)})", "{{broker}}"),
                    words=UP_DOWN,
                ),
                states(
                    "Active",
                    "The broker that workers are started for. It changes when the active one no longer serves, and back with patience.",
                    (f"max by (broker) ({daemon('broker_active', CHOSEN)})", "{{broker}}"),
                    words={"0": ("in reserve", "transparent"), "1": ("active", "blue")},
                ),
            ),
        ),
        Row(
            "Cost",
            (
                curves(
                    "Commands by sender",
                    "Who causes them: the autoscaler itself, Flower, idle workers, busy workers with their tasks and starts, and what "
                    "nobody known here explains, such as producers and results.",
                    (f"sum by (by) ({PER_SECOND})", "{{by}}"),
                    unit="ops",
                    stacked=True,
                ),
                curves(
                    "Commands by broker",
                    "As counted, over the points of the graph; with the broker's own count where it tells it.",
                    (f"sum by (broker) ({rate(daemon('broker_commands_total', CHOSEN))})", "{{broker}}"),
                    unit="ops",
                ),
                gauge(
                    "Budget used",
                    "Share of the budget of this day or month that is used. Brokers without a budget are not shown.",
                    (f"max by (broker) ({daemon('broker_budget_used_ratio', CHOSEN)})", "{{broker}}"),
                    steps=[("orange", "0.8"), ("red", "1")],
                ),
                curves(
                    "Budget over time",
                    "It falls to nothing when a new day or month (of UTC) begins.",
                    (f"max by (broker) ({daemon('broker_budget_used_ratio', CHOSEN)})", "{{broker}}"),
                    unit="percentunit",
                ),
            ),
        ),
    ),
    (
        CONFIG_NOTE,
        note(
            "Failovers",
            "red",
            f"sum by (broker) ({growth(daemon('broker_failovers_total', CHOSEN))}) > 0",
            "failover",
            "{{broker}} is the active broker",
        ),
    ),
)
