"""`docs/cli.md`, written from the commands: `python -m autoscaler.cli.reference` in the checkout. A test compares the two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from autoscaler.cli.commands import cli

_INTRODUCTION = """\
# Command line

<!-- Written by `python -m autoscaler.cli.reference` from the commands. Change those, not this file. -->

Data goes to standard output, messages to standard error. `--format json` has stable fields: keys are only ever added.

| exit code | means |
|---|---|
| 0 | done |
| 1 | failed, with one line that says why |
| 2 | the command line was not understood |
| 3 | `plan`: something would change |
| 75 | another instance holds the lock of the state folder |
| 78 | the configuration is invalid |

Commands that ask or tell the daemon find it by `--url`, `AUTOSCALER_URL`, or the `api.listen` of the file named with `-c`.
Those that tell it something need a token: `--token-file`, `AUTOSCALER_TOKEN_FILE`, or the first token of the configuration.
That is the file of `-c`, or of `AUTOSCALER_CONFIG`, which the image sets: `docker compose exec autoscaler autoscaler pause mail` works.
A token is never an argument, because everybody can read those.
"""
_ENDING = """\
## Completion

Commands, options and the pools of the running daemon are completed by pressing Tab, once the shell has the script:

| shell | once |
|---|---|
| bash | `autoscaler completion bash > ~/.local/share/bash-completion/completions/autoscaler` |
| zsh | `autoscaler completion zsh > ~/.zfunc/_autoscaler`, with `fpath+=~/.zfunc` before `compinit` in `~/.zshrc` |
| fish | `autoscaler completion fish > ~/.config/fish/completions/autoscaler.fish` |
"""


def reference() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *(section for name in cli.commands for section in _command(name)), _ENDING])


def _command(name: str) -> Iterator[str]:
    command = cli.commands[name]
    context = click.Context(command, info_name=name, parent=click.Context(cli, info_name="autoscaler"), max_content_width=10_000)
    usage = f"autoscaler {name} {' '.join(command.collect_usage_pieces(context))}"
    yield f"## {name}\n\n    {usage}\n"
    yield "\n".join(line.strip() for line in (command.help or "").strip().splitlines()) + "\n"
    options = [record for option in command.params if isinstance(option, click.Option) and (record := option.get_help_record(context))]
    if options:
        rows = [f"| `{flags.replace('|', chr(92) + '|')}` | {words.replace('|', chr(92) + '|').strip()} |" for flags, words in options]
        yield "\n".join(["| option | |", "|---|---|", *rows]) + "\n"


def write(folder: Path) -> None:
    """Write the page below this folder."""
    (folder / "docs" / "cli.md").write_text(reference())


if __name__ == "__main__":
    write(Path.cwd())
