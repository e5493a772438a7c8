"""What must hold whatever goes wrong, as data: twenty invariants, each with the promise of the design that it belongs to.

Each is told of every decision, of every request that changes something as it reaches the engine, and of every tick, and says
`world.fail` where it does not hold. They know the truth of the world, not only what the daemon saw, and share none of its code.
"""

from ..world import Watcher
from .common import Invariant, unrest
from .counts import BlindHolds, StepsAreLimited, WindowHolds, WithinBounds
from .course import Bounded, Converges, KeepsSecrets, NoCatchingUp, Settles, StartsGetTheirTime, TicksOnTime
from .deeds import DecidedAndRecorded, DryRunIsDry, NothingInterrupted, OneActor, OnlyOurs, Relieved
from .word import KeepsBudgets, LeavesDeadBrokers, OrdersStand

INVARIANTS: tuple[type[Invariant], ...] = (
    WithinBounds,
    OnlyOurs,
    BlindHolds,
    OneActor,
    NothingInterrupted,
    DecidedAndRecorded,
    Converges,
    TicksOnTime,
    Bounded,
    KeepsSecrets,
    DryRunIsDry,
    StepsAreLimited,
    WindowHolds,
    Settles,
    StartsGetTheirTime,
    NoCatchingUp,
    OrdersStand,
    LeavesDeadBrokers,
    KeepsBudgets,
    Relieved,
)


def new_watchers() -> tuple[Watcher, ...]:
    """All invariants, for one story."""
    return tuple(invariant() for invariant in INVARIANTS)


__all__ = ["INVARIANTS", "new_watchers", "unrest"]
