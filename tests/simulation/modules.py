"""`threading`, `time` and `asyncio` of a machine that does not exist, as far as the daemon uses them.

A name that is missing here is a thing that nobody has needed yet: the daemon would fail on it loudly.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from .machine import Machine, Thread, Wait

# ---------------------------------------------------------------- the module `threading`


class Lock:
    """`threading.RLock`, and `threading.Lock` for those who do not take it twice."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.owner: Thread | None = None
        self.depth = 0
        self._waiting: list[Wait] = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it, or wait for it."""
        me = self._machine.current
        until = self._machine.now + timeout if timeout >= 0 else None
        while self.owner is not None and self.owner is not me and not self.owner.process.dead:
            if not blocking or (until is not None and self._machine.now >= until):
                return False
            wait = self._machine.wait_here()
            self._waiting.append(wait)
            self._machine.block(wait, None if until is None else until - self._machine.now)
        self.owner, self.depth = me, self.depth + 1 if self.owner is me else 1
        return True

    def release(self) -> None:
        """Let the next one have it."""
        self.depth -= 1
        if self.depth <= 0:
            self.owner, self.depth = None, 0
            for wait in self._waiting:
                self._machine.wake(wait)
            self._waiting.clear()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Condition:
    """`threading.Condition` on a lock of its own."""

    def __init__(self, machine: Machine) -> None:
        self._machine, self._lock = machine, Lock(machine)
        self._waiting: list[Wait] = []

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait to be notified; False when that did not happen in time."""
        wait, depth = self._machine.wait_here(), self._lock.depth
        self._waiting.append(wait)
        self._lock.depth = 1
        self._lock.release()
        self._machine.block(wait, timeout)
        if wait in self._waiting:
            self._waiting.remove(wait)
        self._lock.acquire()
        self._lock.depth = depth
        return not wait.timed_out

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Wait until this holds; what it last gave when that did not happen in time."""
        until = None if timeout is None else self._machine.now + timeout
        while not (found := predicate()):
            left = None if until is None else until - self._machine.now
            if left is not None and left <= 0:
                break
            self.wait(left)
        return found

    def notify(self, n: int = 1) -> None:
        """Wake some of those who wait."""
        woken, self._waiting = self._waiting[:n], self._waiting[n:]
        for wait in woken:
            self._machine.wake(wait)

    def notify_all(self) -> None:
        """Wake all who wait."""
        self.notify(len(self._waiting))


class Event:
    """`threading.Event`."""

    def __init__(self, machine: Machine) -> None:
        self._condition, self._set = Condition(machine), False

    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._set

    def set(self) -> None:
        """Let it happen."""
        self._set = True
        self._condition.notify_all()

    def clear(self) -> None:
        """Begin anew."""
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for it."""
        return bool(self._condition.wait_for(lambda: self._set, timeout))


class Local:
    """`threading.local`: other attributes for every thread."""

    def __init__(self, machine: Machine) -> None:
        object.__setattr__(self, "_machine", machine)

    def _mine(self) -> dict[str, Any]:
        thread = object.__getattribute__(self, "_machine").current
        return thread.locals.setdefault(id(self), {}) if thread else object.__getattribute__(self, "__dict__")

    def __getattr__(self, name: str) -> Any:
        try:
            return self._mine()[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._mine()[name] = value


def threading_of(machine: Machine) -> SimpleNamespace:
    """What stands in for the module."""
    return SimpleNamespace(
        Thread=lambda *, target, **more: Thread(machine, target, **more),
        Lock=lambda: Lock(machine),
        RLock=lambda: Lock(machine),
        Condition=lambda: Condition(machine),
        Event=lambda: Event(machine),
        local=lambda: Local(machine),
        current_thread=lambda: machine.current,
        get_ident=lambda: id(machine.current),
        TIMEOUT_MAX=threading.TIMEOUT_MAX,
    )


def time_of(machine: Machine) -> SimpleNamespace:
    """The module with the machine's clocks."""
    clocks = {"monotonic": lambda: machine.now, "perf_counter": lambda: machine.now, "time": lambda: machine.wall}
    return SimpleNamespace(**{**vars(time), **clocks, "sleep": machine.sleep})


# ---------------------------------------------------------------- the module `asyncio`


def asyncio_of(machine: Machine) -> SimpleNamespace:
    """The module with event loops of the machine."""
    return SimpleNamespace(**{**vars(asyncio), "new_event_loop": lambda: Loop(machine)})


class Loop(asyncio.BaseEventLoop):
    """An event loop without sockets: it waits as a thread of the machine waits."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine = machine
        self._selector = self
        self._asleep: Wait | None = None
        self.set_exception_handler(self._note)

    def time(self) -> float:
        """The machine's time."""
        return self._machine.now

    def select(self, timeout: float | None) -> tuple[()]:
        """Wait for the next timer, or for another thread's word."""
        if timeout is None or timeout > 0:
            self._asleep = self._machine.wait_here()
            self._machine.block(self._asleep, timeout)
        return ()

    def _process_events(self, event_list: object) -> None:
        """There are no sockets."""

    def _write_to_self(self) -> None:
        if self._asleep:
            self._machine.wake(self._asleep)

    def _note(self, _: object, context: dict[str, Any]) -> None:
        """What a killed process leaves unfinished is nobody's fault; anything else is a bug."""
        if "exception" in context and self._machine.current and not self._machine.current.process.dead:
            self._machine.bugs.append(f"event loop: {context['message']}: {context['exception']!r}")
