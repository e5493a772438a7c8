"""The part of `config.yaml` that says who is told of trouble, and of which."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, SecretStr

from autoscaler.config.part import Part
from autoscaler.config.units import Duration

Topic = Literal["failures", "budget", "failover", "blind"]
TOPICS: tuple[Topic, ...] = get_args(Topic)


class NotifySettings(Part):
    """Who is told of trouble; needs the extra `notify`, which is Apprise."""

    urls: tuple[SecretStr, ...] = Field((), examples=[["ntfy://ntfy.example.com/autoscaler"]])
    """Addresses as Apprise writes them (mail, chat, push and many more). They hold passwords, so let them come from variables; an empty
    one is left out."""
    about: tuple[Topic, ...] = Field(TOPICS, examples=[["failures", "failover"]])
    """What is worth a message. `failures`: workers of a pool fail again and again. `budget`: a share of a broker's budget is used up.
    `failover`: another broker is active. `blind`: for a minute something has not been seen that a pool needs to be scaled down."""
    every: Duration = Field(60.0, examples=["5m"])
    """At most one message in this time; what happens meanwhile is told together."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those that are not empty."""
        return tuple(url for secret in self.urls if (url := secret.get_secret_value().strip()))
