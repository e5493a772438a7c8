"""What is done to the parts, as data: every kind in turn, in an order drawn from a seed.

A deed is a generator, as a fault of the simulation is: it begins, yields for as long as it lasts, and puts right what it did.
"""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator

from .parts import ChaosHouse

Deed = Callable[["Nemesis"], Iterator[float]]
"""Yields for how many seconds it lasts."""


class Nemesis:
    """Does its deeds one after the other until the time is up."""

    def __init__(self, house: ChaosHouse, seed: int, *, small_disk: bool) -> None:
        self.house, self.dice = house, random.Random(seed)
        self.killed: set[str] = set()
        """Workers that it has killed."""
        self.done: Counter[str] = Counter()
        there = DEEDS | (OF_THE_ENGINE if house.engine else {})
        self._deeds = {name: deed for name, deed in there.items() if small_disk or deed is not full_disk}

    def rage(self, seconds: float, pause: tuple[float, float] = (1.0, 4.0)) -> None:
        """Every kind of deed in turn, until the time is up."""
        until, names = time.monotonic() + seconds, []
        while time.monotonic() < until:
            names = names or self.dice.sample(sorted(self._deeds), len(self._deeds))
            name = names.pop()
            self.done[name] += 1
            for lasts in self._deeds[name](self):
                time.sleep(lasts)
            time.sleep(self.dice.uniform(*pause))

    def worker(self) -> str | None:
        """One of our workers."""
        workers = sorted(self.house.workers())
        return self.dice.choice(workers) if workers else None


def _of(part: str) -> Callable[[Nemesis], subprocess.Popen[bytes] | None]:
    return lambda nemesis: nemesis.house.broker.process if part == "broker" else getattr(nemesis.house, part)


def _killed(part: str, again: Callable[[ChaosHouse], None]) -> Deed:
    def deed(nemesis: Nemesis) -> Iterator[float]:
        if process := _of(part)(nemesis):
            process.kill()
            process.wait(10)
        yield nemesis.dice.uniform(0.5, 4.0)
        again(nemesis.house)

    return deed


def _hung(part: str) -> Deed:
    def deed(nemesis: Nemesis) -> Iterator[float]:
        if process := _of(part)(nemesis):
            process.send_signal(signal.SIGSTOP)
            yield nemesis.dice.uniform(2.0, 6.0)
            process.send_signal(signal.SIGCONT)

    return deed


def killed_worker(nemesis: Nemesis) -> Iterator[float]:
    """One worker ends as if its host had pulled the plug."""
    if name := nemesis.worker():
        nemesis.killed.add(name)
        nemesis.house.signal_worker(name, signal.SIGKILL)
    yield 0.0


def hung_worker(nemesis: Nemesis) -> Iterator[float]:
    """One worker stands still for a while, its tasks too."""
    if name := nemesis.worker():
        nemesis.house.signal_worker(name, signal.SIGSTOP)
        yield nemesis.dice.uniform(2.0, 6.0)
        nemesis.house.signal_worker(name, signal.SIGCONT)


def edited(nemesis: Nemesis) -> Iterator[float]:
    """A maximum is lowered, which drains busy workers, and raised again."""
    house, pool = nemesis.house, nemesis.dice.choice(["mail", "video"])
    house.most[pool] = 1
    house.configure()
    yield nemesis.dice.uniform(2.0, 6.0)
    house.most[pool] = 3
    house.configure()


def broken_edit(nemesis: Nemesis) -> Iterator[float]:
    """The file is half written for a while."""
    text = nemesis.house.config.read_text()
    nemesis.house.config.write_text(text[: nemesis.dice.randint(0, len(text) - 1)])
    yield nemesis.dice.uniform(1.0, 3.0)
    nemesis.house.configure()


def full_disk(nemesis: Nemesis) -> Iterator[float]:
    """Not one more byte fits into the state folder."""
    ballast = nemesis.house.folder / "state" / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    yield nemesis.dice.uniform(2.0, 6.0)
    ballast.unlink(missing_ok=True)


def killed_engine(nemesis: Nemesis) -> Iterator[float]:
    """The engine ends with everything in it, as when its host loses the power, and is started again."""
    nemesis.killed |= nemesis.house.workers()
    nemesis.house.kill_engine()
    yield nemesis.dice.uniform(0.5, 4.0)
    nemesis.house.start_engine()


def hung_engine(nemesis: Nemesis) -> Iterator[float]:
    """The engine answers nothing for a while; its containers go on."""
    nemesis.house.signal_engine(signal.SIGSTOP)
    yield nemesis.dice.uniform(3.0, 8.0)
    nemesis.house.signal_engine(signal.SIGCONT)


DEEDS: dict[str, Deed] = {
    "kill -9 of the daemon": _killed("daemon", lambda house: None),
    "the daemon hangs": _hung("daemon"),
    "kill -9 of Flower": _killed("flower", ChaosHouse.start_flower),
    "Flower hangs": _hung("flower"),
    "kill -9 of Redis": _killed("broker", lambda house: house.broker.start()),
    "Redis hangs": _hung("broker"),
    "kill -9 of a worker": killed_worker,
    "a worker hangs": hung_worker,
    "the configuration is edited": edited,
    "the configuration is half written": broken_edit,
    "the disk of the state folder is full": full_disk,
}

OF_THE_ENGINE: dict[str, Deed] = {"kill -9 of dockerd": killed_engine, "dockerd hangs": hung_engine}
"""Where workers are containers."""
