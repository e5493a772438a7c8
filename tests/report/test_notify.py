"""Messages about trouble, through Apprise to a real receiver: coalesced, bounded, without secrets, and never in the way of the loop."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from live import free_port, until
from receiver import a_receiver
from structlog.testing import capture_logs
from telling import NOW, a_decision, a_failover, a_record, a_view

from autoscaler.config.notify import NotifySettings
from autoscaler.model import Memory, Record
from autoscaler.report.notify import LONGEST_QUEUE, Notifier, Send, by_apprise, problems
from autoscaler.report.redact import Redactor


def settings(*urls: str, **changes: object) -> NotifySettings:
    """These addresses, and messages at once."""
    return NotifySettings.model_validate({"urls": urls, "every": "1ms", **changes})


@contextmanager
def a_notifier(chosen: NotifySettings, send: Send = by_apprise) -> Iterator[Notifier]:
    """As the daemon has one."""
    notifier = Notifier(chosen, "prod", send)
    yield notifier
    notifier.close()


def blind(*pools: str, at: float = NOW) -> Record:
    """A tick in which none of these pools can be seen."""
    return a_record(*(a_decision(name, view=a_view(name, waiting=None)) for name in pools), at=at)


def test_a_failover_reaches_a_receiver() -> None:
    """A real HTTP request with who speaks and what happened."""
    with a_receiver() as (url, arrived), a_notifier(settings("", url)) as notifier:
        notifier.record(a_failover(), Memory())
        message = arrived.get(timeout=20)

    assert "autoscaler prod" == message["title"]
    assert message["message"].startswith("broker fallback is active instead of primary: ")


def test_what_comes_together_is_told_together() -> None:
    """While a message is on its way, or the next one may not be sent yet, trouble is collected."""
    sent: queue.Queue[str] = queue.Queue()
    on_its_way, go_on = threading.Event(), threading.Event()

    def slow(_addresses: tuple[str, ...], _title: str, body: str) -> bool:
        sent.put(body)
        on_its_way.set()
        return go_on.wait(20)

    with a_notifier(settings("json://x"), slow) as notifier:
        notifier.record(a_failover(), Memory())
        on_its_way.wait(20)
        for at in (NOW, NOW + 60):
            notifier.record(blind("mail", "video", at=at), Memory())
        go_on.set()
        bodies = [sent.get(timeout=20), sent.get(timeout=20)]

    assert [2, 2] == [len(body.splitlines()) for body in bodies]


def test_a_hanging_receiver_fills_a_bounded_queue() -> None:
    """The loop goes on, what finds no room is counted, and the next message says how much that was."""
    sent: queue.Queue[str] = queue.Queue()
    on_its_way, go_on = threading.Event(), threading.Event()
    names = [f"p{number}" for number in range(LONGEST_QUEUE + 20)]

    def stuck(_addresses: tuple[str, ...], _title: str, body: str) -> bool:
        sent.put(body)
        on_its_way.set()
        return go_on.wait(20)

    with a_notifier(settings("json://x"), stuck) as notifier:
        notifier.record(a_failover(), Memory())
        on_its_way.wait(20)
        for at in (NOW, NOW + 60):
            notifier.record(blind(*names, at=at), Memory())
        assert notifier.dropped == 20
        go_on.set()
        sent.get(timeout=20)
        last = sent.get(timeout=20)

    assert LONGEST_QUEUE + 1 == len(last.splitlines())
    assert last.endswith("and 20 more")


def test_only_what_was_asked_for_is_told() -> None:
    """And without an address nothing is even begun."""
    with a_notifier(settings("json://x", about=["blind"]), pytest.fail) as notifier:
        notifier.record(a_failover(), Memory())
        assert notifier._thread is None
    with a_notifier(settings(), pytest.fail) as notifier:
        notifier.record(a_failover(), Memory())
        assert notifier._thread is None


def test_a_refused_message_names_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody listens there: that is logged, without the password of the address."""
    url = f"json://user:the-password@127.0.0.1:{free_port()}/"
    with capture_logs() as told, a_notifier(settings(url)) as notifier:
        notifier.record(a_failover(), Memory())
        until(lambda: told, 30)

    assert "notification_failed" == told[0]["event"]
    assert "the-password" not in f"{told}{caplog.text}"
    assert "the-password" not in repr(settings(url))


def test_secrets_are_taken_out_of_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the configuration keeps secret stays so on this face, too."""
    sent: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr("autoscaler.report.notify.redactor", Redactor(["used up its quota"]))
    with a_notifier(settings("json://x"), lambda *message: bool(sent.put(message[2]) or True)) as notifier:
        notifier.record(a_failover(), Memory())
        body = sent.get(timeout=20)

    assert "used up its quota" not in body


def test_closing_does_not_wait() -> None:
    """For a message that hangs."""
    on_its_way, go_on = threading.Event(), threading.Event()

    def stuck(*_: object) -> bool:
        on_its_way.set()
        return go_on.wait(20)

    notifier = Notifier(settings("json://x"), "prod", stuck)
    notifier.record(a_failover(), Memory())
    on_its_way.wait(20)
    began = time.monotonic()
    notifier.close()

    assert time.monotonic() - began < 5
    go_on.set()


def test_check_names_addresses_by_number() -> None:
    """What Apprise does not understand is wrong in the file; the address itself is not repeated."""
    assert problems(settings("json://127.0.0.1", "nonsense://user:the-password@x")) == (
        "notify.urls: address 2 is none that Apprise understands",
    )
    assert problems(settings()) == ()
