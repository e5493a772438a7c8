"""The desk: orders are on disk before they are taken, and over when they are over."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from world import World

from autoscaler.desk import WAKE_EVERY_SECONDS, Desk, EyesWithOrders, NotKept, read
from autoscaler.loop import tick
from autoscaler.model import Memory, Order, OrderKind, Policies, PoolPolicy

POLICIES = Policies("t", 2.0, 20, {"mail": PoolPolicy("mail", ("mail",), 0, 5, slots=1)})
PAUSE = Order(OrderKind.PAUSE, "mail", at=1000.0, by="anna", why="the move", until=1060.0)
WAKE = Order(OrderKind.WAKE, "mail", at=1000.0, by="producer", until=1300.0)


class Office:
    """A desk, and all that it tells others."""

    def __init__(self, folder: Path) -> None:
        self.noted: list[Order] = []
        self.forward: list[float] = []
        self.path = folder / "orders.json"
        self.monotonic = 0.0
        self.desk = Desk(self.path, self.noted.append, self.forward.append, lambda: self.monotonic)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """A desk in an empty folder."""
    return Office(tmp_path)


def test_an_order_is_kept_before_it_is_taken(office: Office) -> None:
    """Whoever opens the folder next, after whatever end, finds it; it was noted, and the next tick is at once."""
    assert office.desk.give(PAUSE) == (PAUSE,)

    assert Office(office.path.parent).desk.standing == {"mail": (PAUSE,)}
    assert (office.noted, office.forward) == ([PAUSE], [0.0])
    assert office.path.stat().st_mode & 0o077 == 0


def test_an_order_that_cannot_be_kept_is_not_taken(office: Office) -> None:
    """No half orders: who was refused is not obeyed either. A wake is taken all the same."""
    office.path.with_suffix(".new").mkdir()

    with pytest.raises(NotKept, match="was not taken"):
        office.desk.give(PAUSE)
    assert not office.desk.standing
    assert office.desk.give(WAKE) == (WAKE,)
    assert office.noted == [WAKE]


def test_an_unusable_file_is_put_aside(office: Office) -> None:
    """The daemon starts without orders, and the file is left for whoever looks into it."""
    office.path.write_text('{"mail": [{"kind": "sing"}]}')

    assert read(office.path) is None
    assert Office(office.path.parent).desk.standing == {}
    assert office.path.with_suffix(".unusable").exists()


def test_what_is_over_is_forgotten_and_what_came_meanwhile_is_not(office: Office) -> None:
    """An order that is given while a tick looks was not followed by it, so that tick does not end it."""
    world = World(POLICIES, start=1000.0)
    later = replace(WAKE, at=1001.0)

    class SlowEyes:
        def look(self, policies, now):
            office.desk.give(later)
            return world.look(policies, now)

    office.desk.give(replace(PAUSE, until=1000.5))
    record, memory = tick(POLICIES, Memory(), EyesWithOrders(SlowEyes(), office.desk), world, 1000.9)
    office.desk.follow(record, memory)

    assert [o.kind for o in record.observation.orders["mail"]] == [OrderKind.PAUSE]
    assert office.desk.standing == {"mail": (later,)}


def test_wakes_of_a_busy_producer_are_one(office: Office) -> None:
    """The first brings the tick forward at once, those right after it by the end of the pause; one line tells of them."""
    for number in range(100):
        office.monotonic = number / 100
        office.desk.give(replace(WAKE, at=1000.0 + number / 100, tasks=number))
    office.monotonic = WAKE_EVERY_SECONDS
    office.desk.give(replace(WAKE, at=1000.0 + WAKE_EVERY_SECONDS))

    assert [order.at for order in office.noted] == [1000.0, 1000.0 + WAKE_EVERY_SECONDS]
    assert (office.forward[0], office.forward[-1]) == (0.0, 0.0)
    assert all(0 < seconds <= WAKE_EVERY_SECONDS for seconds in office.forward[1:-1])
    assert [(o.kind, o.tasks) for o in office.desk.standing["mail"]] == [(OrderKind.WAKE, 99)]


def test_a_wall_clock_that_is_set_back_delays_no_wake(office: Office) -> None:
    """How long the last wake is ago is not read off a clock that somebody may set."""
    office.desk.give(WAKE)
    office.monotonic = WAKE_EVERY_SECONDS
    office.desk.give(replace(WAKE, at=WAKE.at - 3600.0))

    assert office.forward == [0.0, 0.0]


def test_orders_of_many_threads_are_all_taken(office: Office) -> None:
    """Twenty people at once, each about a pool of their own."""
    orders = [replace(PAUSE, pool=f"p{n}") for n in range(20)]
    threads = [threading.Thread(target=office.desk.give, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert read(office.path) == {order.pool: (order,) for order in orders}
    assert office.desk.standing == read(office.path)


def test_orders_follow_a_clock_that_is_set(office: Office) -> None:
    """An hour that was ordered stays an hour, also for the next start."""
    office.desk.give(PAUSE)
    office.desk.shift(3600.0)

    later = replace(PAUSE, at=PAUSE.at + 3600.0, until=PAUSE.until + 3600.0)
    assert office.desk.standing == read(office.path) == {"mail": (later,)}
