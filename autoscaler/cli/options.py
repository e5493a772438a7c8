"""Options that several commands share: which file, which daemon, which token, text or JSON."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from autoscaler.cli.kinds import DURATION

if TYPE_CHECKING:
    from autoscaler.config.models import Settings

DEFAULT_URL = "http://127.0.0.1:8090"
F = TypeVar("F", bound=Callable[..., Any])

config_option = click.option(
    "--config", "-c", "config", envvar="AUTOSCALER_CONFIG", default="./config.yaml", show_default=True,
    type=click.Path(path_type=Path), help="The configuration file.",
)  # fmt: skip
format_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Text for people, JSON for programs.",
)  # fmt: skip
why_option = click.option("--why", default="", help="Why, in a few words: shown wherever the order is.")
for_option = click.option("--for", "period", default=None, metavar="DURATION", help="How long, like 30m or 2h; until `resume` without it.")


def asks_daemon(command: F) -> F:
    """Options of every command that asks the running daemon."""
    url = click.option(
        "--url", envvar="AUTOSCALER_URL", default=DEFAULT_URL, show_default=True, callback=_address, help="The daemon's address.",
    )  # fmt: skip
    config = click.option(
        "--config", "-c", callback=_remember, is_eager=True, expose_value=False, type=click.Path(path_type=Path),
        help="The configuration file whose daemon is meant.",
    )  # fmt: skip
    return format_option(url(config(command)))


def tells_daemon(command: F) -> F:
    """Options of every command that changes something: the token beside the address."""
    token = click.option(
        "--token-file", "token", envvar="AUTOSCALER_TOKEN_FILE", callback=_token, type=click.Path(path_type=Path),
        help="File with the token; without it the first one of the configuration file (-c, or AUTOSCALER_CONFIG).",
    )  # fmt: skip
    return asks_daemon(token(command))


def about_tasks(command: F) -> F:
    """Options of the commands that try a pool's settings on tasks."""
    pool = click.option("--pool", required=True, help="The pool whose settings are tried.")
    trace = click.option("--trace", type=click.Path(path_type=Path), help="CSV with a line for each task: arrival_s,runtime_s.")
    journal = click.option("--journal", type=click.Path(path_type=Path), help="Instead of a trace: the tasks that a journal tells of.")
    boot = click.option("--boot", type=DURATION, help="How long a worker takes to start; by default 3s, or as the journal says.")
    return pool(trace(journal(boot(command))))


pool_argument = click.argument("pool", shell_complete=lambda ctx, _param, begun: _names(ctx, begun))
pool_or_none = click.argument("pool", required=False, shell_complete=lambda ctx, _param, begun: _names(ctx, begun))


def _remember(ctx: click.Context, _option: click.Parameter, config: Path | None) -> None:
    ctx.meta["autoscaler.config"] = config


def _address(ctx: click.Context, _option: click.Parameter, url: str) -> str:
    """With `-c` and nothing more exact, the address that this file tells its daemon to listen on."""
    if ctx.get_parameter_source("url") is not ParameterSource.DEFAULT or not (settings := _settings(ctx.meta["autoscaler.config"])):
        return url
    host, _, port = settings.api.listen.rpartition(":")
    return f"http://{'127.0.0.1' if host in ('', '0.0.0.0', '[::]') else host}:{port}"  # noqa: S104 - compared, not bound


def _token(ctx: click.Context, option: click.Parameter, file: Path | None) -> str:
    """The first token of the file, else of the configuration; a token never stands on a command line, where `ps` shows it."""
    if file:
        try:
            lines = file.read_text().split()
        except (OSError, UnicodeDecodeError) as error:
            raise click.BadParameter(f"cannot read {file}: {error}", ctx, option) from error
        if not lines:
            raise click.BadParameter(f"{file} is empty", ctx, option)
        return lines[0]
    named = os.environ.get("AUTOSCALER_CONFIG")
    settings = _settings(ctx.meta["autoscaler.config"] or (Path(named) if named else None))
    found = [*settings.api.tokens, *(settings.api.wake_tokens if ctx.info_name == "wake" else ())] if settings else []
    if not found:
        raise click.UsageError("no token: name its file with --token-file or AUTOSCALER_TOKEN_FILE, or config.yaml with -c", ctx)
    return found[0].secret.get_secret_value()


def _settings(config: Path | None) -> Settings | None:
    from autoscaler.config.load import load

    return load(config, os.environ) if config else None


def _names(ctx: click.Context, begun: str) -> list[str]:
    """Pools that begin like this, for completion: whatever goes wrong, nothing is said."""
    from autoscaler.cli.ask import ask

    try:
        url = ctx.params.get("url") or os.environ.get("AUTOSCALER_URL", DEFAULT_URL)
        pools = ask(url, "/api/v1/status?workers=false", seconds=1.0)["pools"]
    except Exception:
        return []
    return [pool["pool"] for pool in pools if pool["pool"].startswith(begun)]
