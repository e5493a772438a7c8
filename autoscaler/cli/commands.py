"""The command line: what each command takes, and which room does the work."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from autoscaler import __version__
from autoscaler.cli.hand import STEERING
from autoscaler.cli.kinds import DURATION
from autoscaler.cli.options import DEFAULT_URL, about_tasks, asks_daemon, config_option, format_option, pool_argument, pool_or_none
from autoscaler.errors import AutoscalerError, ConfigError, LockHeld

INVALID_CONFIG = 78
LOCK_HELD = 75
PLAN_HAS_CHANGES = 3


class Commands(click.Group):
    """Turns expected errors into one clear message and the agreed exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            click.echo(str(error), err=True)
            raise SystemExit(INVALID_CONFIG) from error
        except LockHeld as error:
            click.echo(str(error), err=True)
            raise SystemExit(LOCK_HELD) from error
        except (AutoscalerError, OSError) as error:
            click.echo(f"failed: {error}", err=True)
            raise SystemExit(1) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(version)s")
def cli() -> None:
    """Keeps exactly the right number of Celery worker containers running."""


@cli.command()
@config_option
@click.option("--dry-run", is_flag=True, help="Decide and report, change nothing.")
@click.option("--once", is_flag=True, help="One tick, then exit.")
@click.option("--standby", is_flag=True, help="While another one holds the lock of the state folder, wait and take over when it ends.")
def run(config: Path, dry_run: bool, once: bool, standby: bool) -> None:
    """The daemon."""
    # structlog and httpx load rich and pygments where they find them, for terminals: 7 MB that a daemon never uses.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    from autoscaler.cli.run import run_daemon

    raise SystemExit(run_daemon(config, dry_run=dry_run, once=once, standby=standby))


@cli.command()
@config_option
@click.option("--offline", is_flag=True, help="Only the file, no neighbour.")
@format_option
def check(config: Path, offline: bool, form: str) -> None:
    """Validate the file, then try every neighbour for real."""
    from autoscaler.cli.check import check_all

    raise SystemExit(check_all(config, offline=offline, as_json=form == "json"))


@cli.command()
@config_option
@format_option
def plan(config: Path, form: str) -> None:
    """Look once and show what would be done now and why; exit 3 when something would change."""
    from autoscaler.cli.plan import plan_once

    raise SystemExit(PLAN_HAS_CHANGES if plan_once(config, as_json=form == "json") else 0)


@cli.command()
@asks_daemon
@click.option("--watch", is_flag=True, help="Again every two seconds.")
def status(url: str, form: str, watch: bool) -> None:
    """What runs, what waits, and why."""
    from autoscaler.cli.status import show_status

    show_status(url, as_json=form == "json", watch=watch)


@cli.command()
@pool_argument
@asks_daemon
def explain(pool: str, url: str, form: str) -> None:
    """The last decision about POOL as a waterfall with its numbers, and what would change it."""
    from autoscaler.cli.explain import show_explanation

    show_explanation(url, pool, as_json=form == "json")


@cli.command()
@pool_or_none
@asks_daemon
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many.")
def history(pool: str | None, url: str, form: str, limit: int) -> None:
    """The latest decisions that said something new, and what people ordered, below the last hour as curves."""
    from autoscaler.cli.history import show_history

    show_history(url, pool, limit, as_json=form == "json")


for command in STEERING:
    cli.add_command(command)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """The script that completes commands, options and pools in SHELL; the last lines of docs/cli.md say where it goes."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    click.echo(kind(cli, {}, "autoscaler", "_AUTOSCALER_COMPLETE").source())


@cli.command()
@config_option
@about_tasks
@click.option("--boot-spread", default=0.0, show_default=True, type=click.FloatRange(0, 1), help="Share of it left to chance.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same result.")
@click.option("--rivals", is_flag=True, help="Other autoscalers on the same trace, too: KEDA, Knative, latency steppers, Dask, AWS, ...")
@click.option("--plot", type=click.File("w", "utf-8", lazy=False, atomic=True), help="Draw backlog, workers and waits: an SVG file.")
@format_option
def simulate(config: Path, form: str, **asked: Any) -> None:
    """A trace of tasks under this configuration, on simulated time: what it costs, how long tasks wait."""
    from autoscaler.cli.simulate import Asked, simulate_trace

    simulate_trace(config, Asked(**asked), as_json=form == "json")


@cli.command()
@config_option
@click.option("--journal", type=click.Path(path_type=Path), help="What a daemon kept; by default journal.sqlite3 in the state folder.")
@click.option(
    "--observations", type=click.Path(path_type=Path), help="CSV with a line for each look: t_s,backlog,busy,ready,started,finished."
)
@click.option("--pool", help="Only this pool; needed with --observations where there are several.")
@click.option("--boot", default="3s", show_default=True, type=DURATION, help="With --observations: how long a worker took to start.")
@format_option
def replay(config: Path, form: str, **asked: Any) -> None:
    """What this configuration would have decided on what was seen, and what that would have cost."""
    from autoscaler.cli.replay import Asked, replay_past

    replay_past(config, Asked(**asked), as_json=form == "json")


@cli.command()
@config_option
@about_tasks
@click.option(
    "--hour-waited-costs", default=1.0, show_default=True, type=click.FloatRange(0), help="Worker-hours that an hour waited is worth."
)
@format_option
def tune(config: Path, form: str, **asked: Any) -> None:
    """Which settings of a pool are worth having, which are best at this price, and the lines to paste."""
    from autoscaler.cli.tune import Asked, tune_pool

    tune_pool(config, Asked(**asked), as_json=form == "json")


@cli.command()
@config_option
@click.argument("kind", type=click.Choice(["keda", "stack"]), metavar="keda|stack")
def export(config: Path, kind: str) -> None:
    """The same pools as KEDA manifests or as a Swarm stack file, with what they leave out in words. Secrets are named, never written."""
    import os

    from autoscaler.config.load import load
    from autoscaler.export.keda import keda
    from autoscaler.export.stack import stack

    click.echo((keda if kind == "keda" else stack)(load(config, os.environ)).text(), nl=False)


@cli.command()
def schema() -> None:
    """The JSON schema of config.yaml, for editors."""
    from autoscaler.config.schema import schema as build

    click.echo(json.dumps(build(), indent=2))


@cli.command()
def version() -> None:
    """The version of this program."""
    click.echo(__version__)


@cli.command()
@click.option("--url", envvar="AUTOSCALER_URL", default=DEFAULT_URL, show_default=True, help="The daemon's address.")
def healthcheck(url: str) -> None:
    """Whether the loop is alive; answered with the standard library only."""
    from autoscaler.cli.healthcheck import healthcheck as probe

    raise SystemExit(probe(["--url", url]))


@cli.command()
@click.option("--fleet", type=click.Choice(["process", "docker"]), default="process", show_default=True, help="Where workers run.")
@click.option("--tasks", default=240, show_default=True, type=click.IntRange(1, 100_000), help="Tasks to send in all.")
@click.option("--image", default=None, help="Worker image for --fleet docker; otherwise that of examples/worker.")
def demo(fleet: str, tasks: int, image: str | None) -> None:
    """A real burst through a real Redis, Flower, Celery and this daemon, with a report."""
    from autoscaler.demo import run_demo

    raise SystemExit(run_demo(fleet, tasks, image, sys.stdout))
