"""Writes grafana/dashboards/*.json from the boards of this folder: `python grafana/build.py`, or `make dashboards`.

The files are what Grafana reads and what is committed, so that nobody needs Python to use them; a test says when they are stale.
"""

from __future__ import annotations

import json
from pathlib import Path

from board_brokers import BROKERS
from board_daemon import DAEMON
from board_pools import ONE_POOL, OVERVIEW
from shapes import Board

BOARDS = (OVERVIEW, ONE_POOL, DAEMON, BROKERS)
FOLDER = Path(__file__).parent / "dashboards"


def text(board: Board) -> str:
    """The file of one dashboard; the same for the same board, to the byte."""
    return json.dumps(board.json(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for board in BOARDS:
        (FOLDER / f"{board.file}.json").write_text(text(board))
