"""The story of the demo: nothing runs, a burst comes, the fleet grows; another burst for another pool; all is done, all leave.

The command line hands in how many tasks; the parts of the room do the work; signals are only noted here and end the story
at its next breath, so that whatever was started is ended in order.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TextIO

from autoscaler.demo import workplace
from autoscaler.demo.burst import Burst, sender
from autoscaler.demo.report import Report, measure
from autoscaler.demo.scene import Daemon, Scene, compose
from autoscaler.demo.screen import Screen, open_screen
from autoscaler.demo.stack import Pool, Stack
from autoscaler.errors import AutoscalerError

POOLS = (Pool("mail", replicas_max=5, slots=4, task_seconds=0.8), Pool("video", replicas_max=3, slots=4, task_seconds=2.0))
SECOND_SHARE = 1 / 6
"""Of all tasks, those of the second burst."""
SECOND_AFTER = 1 / 4
"""The second burst comes when this share of the first is done."""
LOOK_SECONDS = 0.25
LONGEST_SECONDS = 150.0
"""When the tasks should be done and the workers gone; the report tells what was missing."""
INTERRUPTED = 130


class Stopped(Exception):
    """The demo was asked to end before its time."""


def play(fleet: str, tasks: int, image: str | None, out: TextIO) -> int:
    """The whole demo; returns the exit code."""
    with _signals() as asked:
        screen = open_screen(out)
        try:
            with closing(screen):
                report = _acts(workplace.find(fleet, image), tasks, screen, asked)
        except Stopped:
            print("stopped; everything that was started is gone", file=out, flush=True)
            return INTERRUPTED
        except AutoscalerError as error:
            print(f"the demo failed: {error}", file=out, flush=True)
            return 1
    print("", *report.words(), report.line(), sep="\n", file=out, flush=True)
    return 0 if report.is_good else 1


def _acts(place: workplace.Workplace, tasks: int, screen: Screen, asked: threading.Event) -> Report:
    def wait(seconds: float) -> None:
        if asked.wait(seconds):
            raise Stopped

    screen.say("starting Redis, Flower and the autoscaler ...")
    with Stack(place, POOLS, wait) as stack, closing(Daemon(stack.api_url)) as daemon, closing(sender(stack.broker_url)) as sending:
        second = round(tasks * SECOND_SHARE)
        bursts = tuple(Burst(sending, p.name, n, p.task_seconds) for p, n in zip(POOLS, (tasks - second, second), strict=True))
        began = time.time()
        try:
            for scene in _scenes(stack, daemon, bursts, began):
                screen.show(scene)
                if scene.is_over and all(burst.is_sent for burst in bursts):
                    screen.say("every task is done and every worker has left")
                    break
                _send_what_is_due(bursts, screen)
                wait(LOOK_SECONDS)
            else:
                screen.say(f"not over within {LONGEST_SECONDS:g} s")
        except Stopped:
            screen.say("ending what was started ...")
            raise
        return measure(bursts, daemon.ticks(began - 1), daemon.metrics(), sum(pool.workers for pool in scene.pools))


def _send_what_is_due(bursts: tuple[Burst, ...], screen: Screen) -> None:
    """The first burst at once, the second while the first still works."""
    first, second = bursts
    due = first if not first.is_sent else second if not second.is_sent and first.done >= first.planned * SECOND_AFTER else None
    if due:
        screen.say(f"sending {due.planned} tasks to {due.pool}, for which no worker runs yet")
        due.send()


def _scenes(stack: Stack, daemon: Daemon, bursts: tuple[Burst, ...], began: float) -> Iterator[Scene]:
    """How things are, each time it is asked for, until the longest time is over."""
    while (seconds := time.time() - began) < LONGEST_SECONDS:
        stack.check()
        for burst in bursts:
            burst.look()
        yield compose(daemon.status(), bursts, seconds)


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and the signals to end set; a second Ctrl-C does not cut the clearing up short."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
