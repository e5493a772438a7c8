"""A publish tells the daemon, and is never the worse for it: real Celery, a stand-in for the daemon that does what it should not."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from celery import Celery, signals
from kombu import Exchange, Queue
from listener import Listener
from live import ROOT, free_port, until
from tls_front import tls_front

from autoscaler.contrib.celery import wake, wake_on_publish

Publish = Callable[..., None]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pauses of a test's length, and no receiver that outlives its test."""
    before = list(signals.after_task_publish.receivers)
    monkeypatch.setattr(wake, "EVERY_SECONDS", 0.2)
    monkeypatch.setattr(wake, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(wake, "LONGEST_PAUSE_SECONDS", 0.05)
    yield
    signals.after_task_publish.receivers[:] = before


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A daemon that listens."""
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def app() -> Celery:
    """A producer's app, with a broker in its own memory."""
    media = Exchange("media", type="topic")
    queues = [
        Queue("celery"),
        Queue("video", media, routing_key="media.video.#"),
        Queue("audio", media, routing_key="media.*.sound"),
        Queue("mail", Exchange("post", type="direct"), routing_key="letters"),
        Queue("all", Exchange("news", type="fanout")),
    ]
    app = Celery("producer", broker="memory://", set_as_current=False)
    app.conf.task_queues = queues
    return app


@pytest.fixture
def publish(app: Celery) -> Publish:
    """Send tasks, however."""

    def send(count: int = 1, **way: str) -> None:
        for _ in range(count):
            app.send_task("work", **way)

    return send


def test_a_burst_is_told_in_two_words(app: Celery, publish: Publish, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first task at once, the rest together, every one counted, with the token."""
    monkeypatch.setattr(wake, "EVERY_SECONDS", 600.0)
    wake_on_publish(app, listener.url + "/", token="s3cret")
    publish()
    until(lambda: listener.told)

    publish(300)
    publish(queue="mail")  # a quiet queue is told at once, and takes along what waits

    until(lambda: listener.told == [{"celery": 1}, {"celery": 300, "mail": 1}])
    assert (listener.paths[0], listener.bearers[0]) == ("/api/v1/wake", "Bearer s3cret")


def test_a_busy_queue_is_told_again_in_time(app: Celery, publish: Publish, listener: Listener) -> None:
    """What comes right after a word needs no other publish to be told."""
    wake_on_publish(app, listener.url)
    publish()
    until(lambda: listener.told)

    publish()

    until(lambda: listener.told == [{"celery": 1}, {"celery": 1}])


@pytest.mark.parametrize(
    ("way", "queues"),
    [
        pytest.param({}, {"celery"}, id="default"),
        pytest.param({"queue": "video"}, {"video"}, id="by queue"),
        pytest.param({"queue": "new-one"}, {"new-one"}, id="a queue that the app has not declared"),
        pytest.param({"exchange": "media", "routing_key": "media.video.sound"}, {"video", "audio"}, id="topic, two queues"),
        pytest.param({"exchange": "media", "routing_key": "media.video"}, {"video"}, id="topic, no word for #"),
        pytest.param({"exchange": "post", "routing_key": "letters"}, {"mail"}, id="direct exchange"),
        pytest.param({"exchange": "news", "routing_key": "any"}, {"all"}, id="fanout"),
        pytest.param({"exchange": "elsewhere", "routing_key": "far"}, {"far"}, id="an exchange that it does not know"),
    ],
)
def test_queues_are_told_not_routes(app: Celery, way: dict[str, str], queues: set[str]) -> None:
    """What Celery says of a publish is its exchange and routing key; the daemon knows queues."""
    seen: list[tuple[str, str]] = []

    def note(exchange: str, routing_key: str, **_: object) -> None:
        seen.append((exchange, routing_key))

    signals.after_task_publish.connect(note)
    app.send_task("work", **way)

    assert {found for each in seen for found in _told(app, *each)} == queues


def _told(app: Celery, exchange: str, routing_key: str) -> set[str]:
    waker = wake.Waker(app, wake.Door("http://127.0.0.1:1"))
    waker._start = lambda: None
    waker.note(exchange=exchange, routing_key=routing_key)
    return set(waker._sent)


def test_a_daemon_that_hangs_delays_nothing(app: Celery, publish: Publish, listener: Listener) -> None:
    """While it sits on the first word a thousand publishes come and go."""
    listener.gate.clear()
    wake_on_publish(app, listener.url)
    publish()
    until(lambda: listener.told)

    publish(1000)

    assert listener.told == [{"celery": 1}]
    listener.gate.set()
    until(lambda: listener.tasks == {"celery": 1001})


def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline is over the whole word, not over each byte."""
    monkeypatch.setattr(wake, "DEADLINE_SECONDS", 0.3)
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            with server.accept()[0] as line:
                while not done.wait(0.05):
                    line.send(b"H")

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            assert wake.Door(f"http://127.0.0.1:{server.getsockname()[1]}").tell({"q": 1}) is wake.Answer.AWAY
        finally:
            done.set()
            thread.join()


@contextmanager
def silent() -> Iterator[int]:
    """A port whose queue of connections is full, so that the next one waits; as behind a firewall that drops packets."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        with socket.create_connection(server.getsockname()):
            yield server.getsockname()[1]


def _addresses(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """A name with these addresses, in this order."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_an_address_that_is_silent_leaves_time_for_the_next(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with an IPv6 address that leads nowhere: the word arrives by the other one."""
    monkeypatch.setattr(wake, "DEADLINE_SECONDS", 1.0)
    with silent() as nowhere:
        _addresses(monkeypatch, nowhere, int(listener.url.rpartition(":")[2]))

        assert wake.Door("http://autoscaler").tell({"q": 1}) is wake.Answer.TAKEN


def test_the_deadline_is_over_all_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight that are silent take no longer than one."""
    monkeypatch.setattr(wake, "DEADLINE_SECONDS", 0.5)
    with silent() as nowhere:
        _addresses(monkeypatch, *[nowhere] * 8)
        began = time.monotonic()

        assert wake.Door("http://autoscaler").tell({"q": 1}) is wake.Answer.AWAY
        assert time.monotonic() - began < 8 * wake.DEADLINE_SECONDS


def test_over_tls(listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon behind a proxy with a certificate: told where the machine trusts it, and nobody else is told anything."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with tls_front(int(listener.url.rpartition(":")[2]), authority.issue_cert("localhost")) as port:
        door = wake.Door(f"https://localhost:{port}")
        assert door.tell({"q": 1}) is wake.Answer.AWAY

        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert door.tell({"q": 2}) is wake.Answer.TAKEN
    assert [{"q": 2}] == listener.told


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Our warnings; kombu's own about the broker in memory are no part of it."""
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING and r.name == wake.log.name]


def test_a_daemon_that_comes_later_is_told_all(app: Celery, publish: Publish, caplog: pytest.LogCaptureFixture) -> None:
    """While it is away nothing fails and nothing is said."""
    port = free_port()
    wake_on_publish(app, f"http://127.0.0.1:{port}")
    publish(5)
    publish(2, queue="mail")

    listener = Listener(port)
    try:
        until(lambda: listener.tasks == {"celery": 5, "mail": 2})
    finally:
        listener.close()
    assert said(caplog) == []


def test_trouble_of_the_daemon_is_waited_out(app: Celery, publish: Publish, listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    """500: tried again until it is over, in silence."""
    listener.status = 500
    wake_on_publish(app, listener.url)
    publish(3)
    until(lambda: len(listener.paths) > 1)

    listener.status = 202

    until(lambda: listener.tasks == {"celery": 3})
    assert said(caplog) == []


@pytest.mark.parametrize(
    ("status", "remedy"), [(401, "give token_file"), (403, "set api.wake_token_file"), (404, "is this the autoscaler")]
)
def test_a_refusal_is_said_once(app: Celery, publish: Publish, listener: Listener, caplog, status: int, remedy: str) -> None:
    """With what to do, and without the token."""
    listener.status = status
    wake_on_publish(app, listener.url, token="s3cret")
    publish(3)
    until(lambda: len(listener.paths) > 2)

    (warning,) = said(caplog)
    assert f"({status})" in warning
    assert remedy in warning
    assert "s3cret" not in warning


def test_the_token_file_is_read_each_time(app: Celery, publish: Publish, listener: Listener, tmp_path: Path) -> None:
    """A token is changed without restarting the producers; of several lines the first is used."""
    file = tmp_path / "token"
    wake_on_publish(app, listener.url, token_file=str(file))
    publish()
    file.write_text("new\nold\n")

    until(lambda: listener.bearers)
    assert listener.bearers == ["Bearer new"]


@pytest.mark.parametrize("url", ["autoscaler:8090", "redis://autoscaler", "http://user:s3cret@autoscaler", "http://a\r\nb"])
def test_an_address_that_cannot_be_used_costs_the_wake(app: Celery, publish: Publish, url: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is said at once, without the password that it may hold; the producer works."""
    wake_on_publish(app, url)
    publish()

    assert "must be written like http://autoscaler:8090" in caplog.text
    assert "s3cret" not in caplog.text


def test_without_an_address_nothing_happens(app: Celery) -> None:
    """So that a variable that is not set turns it off; and twice is the same as once."""
    before = len(signals.after_task_publish.receivers)
    wake_on_publish(app, "")
    assert len(signals.after_task_publish.receivers) == before

    wake_on_publish(app, "http://autoscaler:8090")
    wake_on_publish(app, "http://autoscaler:8090")
    assert len(signals.after_task_publish.receivers) == before + 1


def test_a_publish_within_a_publish_hangs_nobody(app: Celery) -> None:
    """A signal handler of the producer may publish at any moment, also while another publish is being counted."""
    waker = wake.Waker(app, wake.Door("http://127.0.0.1:1"))
    waker._start = lambda: None

    with waker._lock:
        waker.note(exchange="", routing_key="mail")

    assert {"mail": 1} == waker._sent


def test_made_up_names_do_not_fill_the_memory(app: Celery) -> None:
    """A queue per user, and a daemon that is away for a week."""
    waker = wake.Waker(app, wake.Door("http://127.0.0.1:1"))
    waker._start = lambda: None
    for number in range(3 * wake.MOST_QUEUES):
        waker.note(exchange="", routing_key=f"reply-{number}")
        waker.note(exchange=f"x{number}", routing_key="reply")

    assert len(waker._sent) <= wake.MOST_QUEUES
    assert len(waker._routes._known) <= wake.MOST_QUEUES


@pytest.mark.parametrize("place", ["copied", "installed"])
def test_a_producer_needs_nothing_of_ours(tmp_path: Path, place: str) -> None:
    """The file works alone beside an app; and what is installed brings neither the daemon's parts nor its libraries along."""
    (tmp_path / "copied.py").write_bytes((ROOT / "autoscaler/contrib/celery/wake.py").read_bytes())
    module = "copied" if place == "copied" else "autoscaler.contrib.celery"
    code = f"import sys, celery; from {module} import wake_on_publish; wake_on_publish(celery.Celery(), 'http://a'); print(*sys.modules)"
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}

    said = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=30).stdout.split()

    assert {"httpx", "pydantic", "prometheus_client", "structlog", "autoscaler.model", "autoscaler.config"} & set(said) == set()
    assert ("autoscaler" in said) == (place == "installed")


# ---------------------------------------------------------------- processes that end and fork

PRODUCER = """
import os, sys, threading
from celery import Celery, signals
from autoscaler.contrib.celery import wake, wake_on_publish
app = Celery("producer", broker="memory://")
wake_on_publish(app, sys.argv[1])
wake.LAST_WORD_SECONDS = float(sys.argv[2])
send = lambda queue: app.send_task("work", queue=queue)
"""
ENDS = (
    PRODUCER
    + """
send("a"); send("a"); send("b")
"""
)
FORKS = (
    PRODUCER
    + """
(waker,) = [r.__self__ for _, r in signals.after_task_publish.receivers if isinstance(getattr(r, "__self__", None), wake.Waker)]
send("parent")
counting, over = threading.Event(), threading.Event()

def count():
    with waker._news:
        counting.set()
        over.wait()

threading.Thread(target=count).start()
counting.wait()
child = os.fork()
if not child:
    send("child")
    waker.close()
    os._exit(0)
over.set()
assert os.waitpid(child, 0)[1] == 0
"""
)


def run(script: str, url: str, last_word: float = 20.0) -> None:
    """A producer from its start to its end; a lock that never opens or an end that never comes fails here."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script, url, str(last_word)], cwd=ROOT, check=True, timeout=30)


def test_the_last_word_is_told_at_the_end(listener: Listener) -> None:
    """A script that publishes and is over right away has woken the pools, though the second word was not due."""
    run(ENDS, listener.url)

    assert listener.tasks == {"a": 2, "b": 1}


def test_an_end_does_not_wait_for_a_daemon_that_hangs(listener: Listener) -> None:
    """A second is waited for it, and no more."""
    listener.gate.clear()
    run(ENDS, listener.url, wake.LAST_WORD_SECONDS)


def test_an_end_does_not_wait_for_a_daemon_that_is_away() -> None:
    """Nothing is said either."""
    run(ENDS, f"http://127.0.0.1:{free_port()}")


def test_a_child_tells_for_itself(listener: Listener) -> None:
    """Forked after the first publish, while another thread counts: with a thread and a lock of its own, and nothing is told twice."""
    run(FORKS, listener.url)

    assert listener.tasks == {"parent": 1, "child": 1}
