"""Kinds of values on the command line that click does not know: written as in `config.yaml`."""

from __future__ import annotations

import click


class DurationType(click.ParamType[float]):
    """A duration like `3s` or `1h30m`, handed on in seconds."""

    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds, or the same words as for a bad line of the file."""
        from autoscaler.config.units import seconds

        if isinstance(value, float):
            return value
        try:
            return seconds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = DurationType()
