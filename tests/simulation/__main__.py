"""Plays many stories on all processors, or tells one of them.

python -m tests.simulation --seeds 1000                a thousand; what fails is shrunk, with the command that repeats it
python -m tests.simulation --seed 417                  one, told as it goes
python -m tests.simulation --seed 417 --only 1,4 --work 0,2    the same with these faults and this work only
python -m tests.simulation --seeds 1000 --write        and put the figures into docs/reliability.md
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Iterable, Iterator
from multiprocessing import get_context
from pathlib import Path

from .report import Run, write
from .run import Verdict, play, tale
from .shrink import shrink
from .story import Story

AT_ONCE = 10
"""Stories that a process takes at a time."""
MOST_SHRUNK = 3


def main() -> int:
    """Play what the command line asks for; 1 when something does not hold."""
    asked = _arguments()
    if asked.seed is not None:
        return _tell(tale(asked.seed).with_only(asked.only, asked.work))
    began = time.monotonic()
    run = Run()
    for verdict in _verdicts(range(asked.first, asked.first + asked.seeds), asked.jobs):
        run.add(verdict)
        if sys.stderr.isatty():
            print(f"\r{run.stories} of {asked.seeds}, {len(run.failed)} failed", end="", file=sys.stderr)
    print(f"\n{run.sentence} {time.monotonic() - began:.0f} s on {asked.jobs} processors.\n")
    print(run.table)
    if asked.write and not run.failed:
        write(Path("docs/reliability.md"), run)
    for verdict in run.failed[:MOST_SHRUNK]:
        _explain(verdict)
    if len(run.failed) > MOST_SHRUNK:
        print(f"... and {len(run.failed) - MOST_SHRUNK} more: {[verdict.seed for verdict in run.failed[MOST_SHRUNK:]]}")
    return 1 if run.failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="The daemon in a world of seeded faults.")
    parser.add_argument("--seeds", type=int, default=1000, help="how many stories to play")
    parser.add_argument("--first", type=int, default=0, help="the first seed of them")
    parser.add_argument("--seed", type=int, help="tell this one story")
    parser.add_argument("--only", type=_numbers, help="of its faults only these, by their numbers")
    parser.add_argument("--work", type=_numbers, help="of its arrivals only these, by their numbers")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument("--write", action="store_true", help="put the figures of this run into docs/reliability.md")
    return parser.parse_args()


def _numbers(text: str) -> frozenset[int]:
    return frozenset(int(number) for number in text.split(",") if number)


def _tell(story: Story) -> int:
    verdict = play(story, print)
    for violation in verdict.violations:
        print(f"\nDOES NOT HOLD: {violation}")
    print(f"\n{verdict.ticks} ticks in {verdict.seconds:.0f} simulated seconds, {verdict.changes} changes, digest {verdict.digest}")
    return 1 if verdict.violations else 0


def _verdicts(seeds: Iterable[int], jobs: int) -> Iterator[Verdict]:
    """All stories, spread over processes; in no order."""
    if jobs < 2:
        yield from map(_play, seeds)
        return
    with get_context("fork").Pool(jobs, initializer=_settle) as pool:
        yield from pool.imap_unordered(_play, seeds, chunksize=AT_ONCE)


def _settle() -> None:
    """What was loaded by now is never garbage, and garbage is looked for between stories only."""
    gc.collect()
    gc.freeze()
    gc.disable()


def _play(seed: int) -> Verdict:
    verdict = play(tale(seed))
    if seed % AT_ONCE == 0:
        gc.collect()
    return verdict


def _explain(verdict: Verdict) -> None:
    """The shortest story that shows the same, and how to see it."""
    broken = verdict.violations[0].partition(" ")[0]
    story = shrink(tale(verdict.seed), broken)
    print(f"seed {verdict.seed}: {verdict.violations[0]}")
    for happening in story.happenings:
        print(f"    {happening}")
    print(f"    repeat it with: {command(story)}\n")


def command(story: Story) -> str:
    """The one command that tells this story."""
    whole = tale(story.seed)
    parts = [f"make simulate SEED={story.seed}"]
    if story.happenings != whole.happenings:
        parts.append(f"ONLY={','.join(str(h.number) for h in story.happenings) or ','}")
    if story.arrivals != whole.arrivals:
        parts.append(f"WORK={','.join(str(a.number) for a in story.arrivals) or ','}")
    return " ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
