"""Keys that this version accepts and does not act on yet, in words: a setting that does nothing must say so.

The reference says the same at each key; both read `NOT_YET`.
"""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.config.models import BrokerSettings, Settings

NOT_YET = {
    "idle_interval": "interval holds while every pool is idle, too",
    "brokers[].budget": "nothing is held back to keep within it",
}
"""Key -> what happens instead."""


def not_in_force(settings: Settings) -> tuple[str, ...]:
    """One sentence for every key that stands in the file without having its effect."""
    found = []
    if "idle_interval" in settings.model_fields_set and settings.idle_interval is not None:
        found.append(_sentence("idle_interval", "idle_interval"))
    return (*found, *_brokers(settings.brokers))


def _brokers(brokers: tuple[BrokerSettings, ...]) -> Iterator[str]:
    for index, broker in enumerate(brokers):
        if broker.budget is not None:
            yield _sentence("brokers[].budget", f"brokers[{index}].budget")


def _sentence(key: str, path: str) -> str:
    return f"{path}: not in force yet: {NOT_YET[key]}"
