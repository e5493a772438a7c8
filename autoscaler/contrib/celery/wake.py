"""Tells the autoscaler that tasks were sent, so that a fleet at zero starts at once and nobody has to poll the broker for that.

For the user's Celery app, in everything that sends tasks; it needs celery and nothing else, so this one file can also be copied:

    from autoscaler.contrib.celery import wake_on_publish
    wake_on_publish(app, "http://autoscaler:8090", token_file="/run/secrets/wake_token")

A publish only adds one to a count. A thread of this process, which the first publish starts, tells the daemon how many tasks went to
which queues, and the daemon knows whose queues they are. A queue that was quiet is told of at once, a busy one every two seconds.
Whatever goes wrong here costs the wake, never the publish: while the daemon is away this file is silent and tries again, ever more
rarely. Processes that fork are fine, before or after their first publish; uWSGI needs `enable-threads`.
"""

from __future__ import annotations

import atexit
import enum
import json
import logging
import os
import random
import re
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery import signals

log = logging.getLogger("autoscaler.wake")
_CHANCE = random.SystemRandom()
"""Of our own: a producer that has seeded `random` gets the same numbers with us and without."""

EVERY_SECONDS = 2.0
"""Between two words about one queue: the daemon looks no more often than this for the wakes of one pool."""
DEADLINE_SECONDS = 5.0
"""Of one word to the daemon, from the first connection to its answer; looking up its name takes as long as the system lets it."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
"""After a word that did not arrive; doubled each time."""
LAST_WORD_SECONDS = 1.0
"""How long the end of the process waits for what it has just sent to be told."""
MOST_QUEUES = 200
"""Told of at a time: names that are made up for each task must not fill the memory while the daemon is away."""
REMEDY = {
    401: "the token is wrong or missing: give token_file one of the daemon's api.wake_token_file",
    403: "the daemon has no token configured: set api.wake_token_file in its config.yaml",
    421: "the daemon does not know itself by this name: add it to api.allowed_hosts in its config.yaml",
}


class Answer(enum.Enum):
    """What became of one word to the daemon."""

    TAKEN = enum.auto()
    AWAY = enum.auto()
    """Not there, too slow, or not now: it is tried again."""
    REFUSED = enum.auto()
    """It will not be taken until somebody changes something: it is tried again, rarely."""


def wake_on_publish(app: Any, url: str, *, token: str = "", token_file: str = "") -> None:
    """Wake the pools of the autoscaler at `url` whenever this process publishes a task; without a url it does nothing.

    `token_file` (read each time, so that it may change) or `token` is one of the daemon's `api.wake_token_file`. Calling it twice is
    the same as once: Celery tells of the publishes of all apps in a process, so one call serves them all.
    """
    if not url:
        return
    try:
        waker = Waker(app, Door(url, token, token_file))
    except ValueError as error:
        log.error("the autoscaler is not woken by this process: %s", error)  # noqa: TRY400 - the text says it all
        return
    signals.after_task_publish.connect(waker.note, weak=False, dispatch_uid="autoscaler.wake_on_publish")


class Waker:
    """Counts what is published, and has it told by a thread of its own."""

    def __init__(self, app: Any, door: Door) -> None:
        self._door = door
        self._routes = Routes(app)
        self._reset()
        os.register_at_fork(after_in_child=self._reset)
        atexit.register(self.close)

    def _reset(self) -> None:
        """As new: a child has neither its parent's thread nor, perhaps, a lock that anybody will ever open again."""
        self._lock = threading.RLock()  # a handler of signals may publish while a publish is being counted
        self._news = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._sent: dict[str, int] = {}
        self._told: dict[str, float] = {}
        self._quiet_until = 0.0
        self._pause = FIRST_PAUSE_SECONDS
        self._closing = False

    def note(self, exchange: str | None = None, routing_key: str | None = None, **_: Any) -> None:
        """Count one task; connected to `after_task_publish`, so this is all that a publish waits for."""
        try:
            with self._lock:
                if not exchange and routing_key in self._sent and self._thread:  # one of a burst: nothing but the count
                    self._sent[routing_key] += 1
                    return
                for queue in (routing_key,) if routing_key and not exchange else self._routes.queues(exchange, routing_key):
                    self._count(queue, 1)
                if self._thread is None and self._sent:
                    self._start()
        except Exception:
            log.debug("a publish was not counted", exc_info=True)

    def close(self) -> None:
        """Have the last word told, if the daemon is there and quick; called at the end of the process."""
        with self._news:
            self._closing, thread = True, self._thread
            self._news.notify()
        if thread is not None:
            thread.join(LAST_WORD_SECONDS)

    def _count(self, queue: str, tasks: int) -> None:
        if queue in self._sent:
            self._sent[queue] += tasks
        elif len(self._sent) < MOST_QUEUES:
            self._sent[queue] = tasks
            self._news.notify()  # only for a queue that is news: a burst wakes the thread once

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="autoscaler-wake", daemon=True)
        thread.start()
        self._thread = thread

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        while sent := self._due():
            self._tell(sent)

    def _due(self) -> dict[str, int]:
        """What is to be told now, as soon as it is; nothing at the end of the process."""
        with self._news:
            while True:
                wait = self._wait()
                if wait is not None and wait <= 0:
                    sent, self._sent = self._sent, {}
                    return sent
                if self._closing:
                    return {}
                self._news.wait(wait)

    def _wait(self) -> float | None:
        """Seconds until something is to be told; None while there is nothing."""
        if not self._sent:
            return None
        now = time.monotonic()
        if self._closing:
            return self._quiet_until - now
        soonest = min(self._told.get(queue, -EVERY_SECONDS) + EVERY_SECONDS for queue in self._sent)
        return max(soonest, self._quiet_until) - now

    def _tell(self, sent: dict[str, int]) -> None:
        began = time.monotonic()
        answer = self._door.tell(sent)
        with self._news:
            self._told = {queue: at for queue, at in self._told.items() if began - at < EVERY_SECONDS}
            if answer is Answer.TAKEN:
                self._told.update(dict.fromkeys(sent, began))
                self._pause = FIRST_PAUSE_SECONDS
                return
            for queue, tasks in sent.items():
                self._count(queue, tasks)
            if answer is Answer.REFUSED:
                self._pause = LONGEST_PAUSE_SECONDS
            self._quiet_until = time.monotonic() + self._pause * _CHANCE.uniform(0.8, 1.2)  # producers should not return in step
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)


class Routes:
    """Which queues a message goes to, as far as this app knows them: Celery tells of its exchange and routing key only."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._known: dict[tuple[str | None, str | None], tuple[str, ...]] = {}

    def queues(self, exchange: str | None, routing_key: str | None) -> tuple[str, ...]:
        """The queues bound to this exchange that take this key; where there is none, the key is taken for a queue's name."""
        way = (exchange, routing_key)
        if way not in self._known:
            if len(self._known) >= MOST_QUEUES:
                self._known.clear()
            self._known[way] = self._find(exchange, routing_key or "")
        return self._known[way]

    def _find(self, exchange: str | None, key: str) -> tuple[str, ...]:
        bound = [queue for queue in self._app.amqp.queues.values() if queue.exchange and queue.exchange.name == exchange]
        return tuple(queue.name for queue in bound if _takes(queue, key)) or ((key,) if key else ())


def _takes(queue: Any, key: str) -> bool:
    """Whether a message with this key goes to this queue, as the type of its exchange says."""
    if queue.exchange.type == "fanout":
        return True
    if queue.exchange.type != "topic":
        return bool(queue.routing_key == key)
    words = {"*": r"\.[^.]+", "#": r"(\..+)?"}
    return bool(re.fullmatch("".join(words.get(word, rf"\.{re.escape(word)}") for word in queue.routing_key.split(".")), f".{key}"))


class Door:
    """The daemon's address, and what is needed to be let in."""

    def __init__(self, url: str, token: str = "", token_file: str = "") -> None:
        """Raises ValueError, which never quotes an address that may hold a password."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or re.search(r"[\s\x00-\x1f]", url):
            raise ValueError("its url must be written like http://autoscaler:8090")
        # Python loads this codec with the first name that is looked up. If a fork fell into that, the child would wait for ever for a
        # module that nobody goes on loading.
        parts.hostname.encode("idna")
        self._tls = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port or (443 if self._tls else 80)
        self._place = f"{parts.scheme}://{parts.netloc}"
        self._head = f"POST {parts.path.rstrip('/')}/api/v1/wake HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
        self._token, self._token_file = token, token_file
        self._has_complained = False

    def tell(self, sent: dict[str, int]) -> Answer:
        """Say how many tasks went to which queues; never raises, and ends within the deadline."""
        try:
            status = self._post(json.dumps({"queues": sent}).encode())
        except Exception as error:
            log.debug("%s could not be told of %d tasks: %s", self._place, sum(sent.values()), error)
            return Answer.AWAY
        if status == 202:
            self._has_complained = False
            return Answer.TAKEN
        if status == 429 or status >= 500:
            log.debug("%s answers %d, it is told again later", self._place, status)
            return Answer.AWAY
        if not self._has_complained:
            self._has_complained = True
            log.warning("%s refuses to be woken (%d): %s", self._place, status, REMEDY.get(status, "is this the autoscaler's address?"))
        return Answer.REFUSED

    def _post(self, body: bytes) -> int:
        """The status that was answered; the rest of the answer is for people. Raises OSError, ValueError."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        token = self._bearer()
        head = f"{self._head}Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        with self._connected(deadline) as plain, self._secured(plain, deadline) as line:
            line.settimeout(_left(deadline))
            line.sendall(head.encode("ascii") + body)
            answer = b""
            while b"\r\n" not in answer and len(answer) < 1000:
                line.settimeout(_left(deadline))
                more = line.recv(1000)
                if not more:
                    break
                answer += more
        return int(answer.split()[1])

    def _connected(self, deadline: float) -> socket.socket:
        """A line to the first of its addresses that answers; one that is silent leaves time for the others. Raises OSError."""
        addresses = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        for tried, (family, kind, protocol, _, address) in enumerate(addresses, start=1):
            line = socket.socket(family, kind, protocol)
            try:
                line.settimeout(_left(deadline) / (len(addresses) - tried + 1))
                line.connect(address)
            except OSError:
                line.close()
                if tried == len(addresses):
                    raise
                continue
            return line
        raise OSError("its name has no address")

    def _secured(self, plain: socket.socket, deadline: float) -> socket.socket:
        if not self._tls:
            return plain
        plain.settimeout(_left(deadline))
        return ssl.create_default_context().wrap_socket(plain, server_hostname=self._host)

    def _bearer(self) -> str:
        """The first token of the file, or the one that was given."""
        if not self._token_file:
            return self._token
        tokens = Path(self._token_file).read_text().split()
        if not tokens:
            raise ValueError("the token file is empty")  # perhaps just being written: a wrong token would be counted against us
        return tokens[0]


def _left(deadline: float) -> float:
    """Seconds until then, for a timeout: none at all would mean to fail at once where nothing is ready yet, so never quite zero."""
    return max(0.001, deadline - time.monotonic())
