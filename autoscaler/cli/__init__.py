"""The commands. Data goes to stdout, messages to stderr; heavy rooms are imported by the command that needs them.

Exit codes: 0 done, 1 failed, 2 usage, 3 plan has changes, 75 another instance holds the lock, 78 invalid configuration.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of `autoscaler` and `python -m autoscaler`.

    `healthcheck` runs every few seconds in a container, so it is answered before anything heavy is imported.
    """
    if sys.argv[1:2] == ["healthcheck"]:
        from autoscaler.cli.healthcheck import healthcheck

        sys.exit(healthcheck(sys.argv[2:]))
    from autoscaler.cli.commands import cli

    cli(prog_name="autoscaler")
