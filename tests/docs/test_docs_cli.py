"""docs/cli.md is what the commands say."""

from pathlib import Path

import click

from autoscaler.cli.commands import cli
from autoscaler.cli.reference import reference

ROOT = Path(__file__).parents[2]


def test_the_page_is_written_from_the_commands():
    """After a change of a command: `python -m autoscaler.cli.reference`."""
    assert (ROOT / "docs" / "cli.md").read_text() == reference()


def test_every_option_says_what_it_is_for():
    """No option is left to be guessed."""
    options = [(name, p) for name, command in cli.commands.items() for p in command.params if isinstance(p, click.Option)]

    assert [f"{name} --{option.name}" for name, option in options if not option.help] == []
