"""A machine that does not exist: threads that take turns, and clocks that move only when all of them wait.

`Machine` owns the time and runs what is due; its threads are greenlets, so that exactly one runs at any moment, always in the
same order. A `Process` is a group of threads that dies at once, whatever they are doing. `modules.py` gives the daemon all this
under the names that it knows.

Code takes no time here. Time passes while a thread waits, for as long as it waits.
"""

from __future__ import annotations

import concurrent.futures
import heapq
import traceback
from asyncio import events as running_loops
from collections.abc import Callable, Iterable
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

SHORTEST_SECONDS = 1e-6
"""No wait is shorter: one too short to move the clock would come again and again in the same moment."""


class Killed(GreenletExit):
    """Ends a thread of a process that was killed; nothing it does on its way out has an effect."""


class Deadlock(AssertionError):
    """A thread that is not of the machine would have to wait."""


class Wait:
    """One thread waiting for one thing."""

    __slots__ = ("over", "thread", "timed_out")

    def __init__(self, thread: Thread) -> None:
        self.thread, self.over, self.timed_out = thread, False, False


class Process:
    """Threads that live and die together; those that a thread starts belong to its process."""

    def __init__(self, machine: Machine, name: str) -> None:
        self.name = name
        self.dead = False
        self.frozen = False
        self.threads: list[Thread] = []
        self._machine = machine
        self._held: list[Thread] = []
        """Threads that were due while the process was frozen."""

    def spawn(self, work: Callable[[], Any]) -> None:
        """Begin a thread of this process."""
        Thread(self._machine, work, process=self).start()

    def kill(self) -> None:
        """kill -9: no thread runs another line. May be called by one of them, which then has to raise `Killed` itself."""
        if not self.dead:
            self.dead = True
            self._machine.later(0.0, self._unwind)

    def freeze(self) -> None:
        """SIGSTOP: no thread runs on; clocks do."""
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT: whatever was due meanwhile happens now."""
        self.frozen = False
        held, self._held = self._held, []
        for thread in held:
            self._machine.later(0.0, self._machine.resume, thread)

    def hold(self, thread: Thread) -> None:
        """Keep a thread that is due for the moment of thawing."""
        self._held.append(thread)

    @property
    def living(self) -> int:
        """Threads that have not ended."""
        self.threads = [thread for thread in self.threads if thread.is_alive()]
        return len(self.threads)

    def _unwind(self) -> None:
        for thread in self.threads:
            thread.unwind()


class Machine:
    """Time, threads and the modules that they come from. To be used by one real thread."""

    def __init__(self, wall: float) -> None:
        self.now = 0.0
        """Seconds since the machine began: the monotonic clock."""
        self.wall_offset = wall
        """What the wall clock shows beyond that; adding to it is a jump of the clock."""
        self.stopped = False
        """Nothing more happens."""
        self.current: Thread | None = None
        self.bugs: list[str] = []
        """Exceptions that ended a thread."""
        self.hub = getcurrent()
        self._due: list[tuple[float, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._serial = 0

    @property
    def wall(self) -> float:
        """Seconds since the epoch, as the machine's clock shows them."""
        return self.now + self.wall_offset

    def later(self, seconds: float, call: Callable[..., Any], *args: Any) -> None:
        """Have this happen after so many seconds; of one moment, what was said first happens first."""
        self._serial += 1
        heapq.heappush(self._due, (self.now + max(0.0, seconds), self._serial, call, args))

    def run(self, until: float) -> None:
        """Let everything happen up to this moment."""
        due = self._due
        while due and due[0][0] <= until and not self.stopped:
            self.now, _, call, args = heapq.heappop(due)
            call(*args)
        if not self.stopped:
            self.now = max(self.now, until)

    def clear(self) -> None:
        """Forget everything that is due, and end all threads of processes that were killed."""
        killed = [call for _, _, call, _ in self._due if getattr(call, "__func__", None) is Process._unwind]
        self._due.clear()
        for unwind in killed:
            unwind()

    def resume(self, thread: Thread) -> None:
        """Let a thread run until it waits again."""
        if thread.process.dead or thread.over:
            return
        if thread.process.frozen:
            thread.process.hold(thread)
            return
        self.current = thread
        thread.greenlet.switch()
        self.current = None

    def block(self, wait: Wait, seconds: float | None) -> None:
        """Make the current thread wait for `wake`, or so many seconds."""
        thread = wait.thread
        if thread.process.dead:
            raise Killed
        if seconds is not None:
            self.later(max(seconds, SHORTEST_SECONDS), self._expire, wait)
        loop = running_loops._get_running_loop()
        running_loops._set_running_loop(None)
        self.hub.switch()
        running_loops._set_running_loop(loop)
        if thread.process.dead:
            raise Killed

    def wake(self, wait: Wait) -> None:
        """End a wait; its thread runs when it is its turn."""
        if not wait.over:
            wait.over = True
            self.later(0.0, self.resume, wait.thread)

    def sleep(self, seconds: float) -> None:
        """Let the current thread do nothing for so long."""
        self.block(self.wait_here(), seconds)

    def wait_here(self) -> Wait:
        """A wait of the current thread."""
        if self.current is None:
            raise Deadlock("nobody can wait outside of the machine's threads")
        return Wait(self.current)

    def wait_for_futures(self, futures: Iterable[concurrent.futures.Future[Any]], timeout: float | None = None) -> None:
        """`concurrent.futures.wait` for all of them."""
        pending = [future for future in futures if not future.done()]
        if not pending:
            return
        wait = self.wait_here()

        def one_ended(_: object) -> None:
            if all(future.done() for future in pending):
                self.wake(wait)

        for future in pending:
            future.add_done_callback(one_ended)
        self.block(wait, timeout)

    def _expire(self, wait: Wait) -> None:
        if not wait.over:
            wait.over = wait.timed_out = True
            self.resume(wait.thread)


class Thread:
    """`threading.Thread` of this machine."""

    def __init__(
        self,
        machine: Machine,
        target: Callable[..., Any],
        *,
        process: Process | None = None,
        name: str = "",
        daemon: bool | None = None,
        args: tuple[Any, ...] = (),
    ) -> None:
        creator = machine.current
        assert process or creator, "a thread belongs to a process"
        self.process = process or creator.process
        self.name, self.daemon, self.over = name, daemon, False
        self.locals: dict[int, dict[str, Any]] = {}
        self.greenlet = greenlet(self._run, machine.hub)
        self._machine, self._work, self._args = machine, target, args
        self._joining: list[Wait] = []

    def start(self) -> None:
        """Begin when it is its turn."""
        self.process.threads.append(self)
        self._machine.later(0.0, self._machine.resume, self)

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        if not self.over:
            wait = self._machine.wait_here()
            self._joining.append(wait)
            self._machine.block(wait, timeout)

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return not self.over

    def unwind(self) -> None:
        """End it where it waits."""
        if not self.over:
            self.over = True
            self.greenlet.throw(Killed)

    def _run(self) -> None:
        try:
            self._work(*self._args)
        except GreenletExit:
            pass
        except BaseException as bug:  # as threading.excepthook, for those who check
            where = traceback.extract_tb(bug.__traceback__)[-1]
            place = f"{where.filename.rpartition(chr(47))[2]}:{where.lineno}"
            self._machine.bugs.append(f"{self.process.name}, thread {self.name}: {type(bug).__name__} in {place}: {bug}")
        finally:
            self.over = True
            for wait in self._joining:
                self._machine.wake(wait)
