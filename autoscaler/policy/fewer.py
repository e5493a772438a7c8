"""Would fewer replicas have done? Where tasks may wait, not every peak needs a replica of its own.

Beside the pool as it is runs an account of pools that are not: for each smaller count, the work that would wait by now if that
many had done what all did. A peak that fewer could have worked off within half of the target is no reason to keep replicas.

Worked example: five replicas of one slot, all busy for 6 s, then three of them. Four would be (5 - 4) * 6 = 6 slot-seconds
behind, 1.5 s for each of them, and have caught up 6 s later; with a target of 10 s four are enough at once, and five are not
kept for the length of the stabilization window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from autoscaler.model import PoolPolicy, TargetWait

SHARE_OF_TARGET = 0.5
"""How much of the target a pool of fewer replicas may use up before it counts as too small."""


class Account(NamedTuple):
    """How the account of one pool is kept."""

    slots: int
    may_wait_seconds: float

    def after(self, behind: tuple[float, ...], busy: int, seconds: float) -> tuple[float, ...]:
        """Slot-seconds of work that would wait now, had there been 1, 2, 3 ... replicas; the row ends where nothing would.

        `busy` slots were in use for the last `seconds`. No more is remembered than takes the whole target to work off, so that a
        peak long past is forgotten; where tasks may not wait at all that is nothing.

        >>> Account(slots=1, may_wait_seconds=10.0).after((), busy=5, seconds=6.0)
        (10.0, 18.0, 12.0, 6.0)
        >>> Account(slots=1, may_wait_seconds=10.0).after((10.0, 18.0, 12.0, 6.0), busy=3, seconds=6.0)
        (10.0, 20.0, 12.0)
        """
        slots, may_wait = self
        row: list[float] = []
        for count, before in enumerate(behind + (0.0,) * (-(-busy // slots) - len(behind)), start=1):
            work, most = before + (busy - count * slots) * seconds, may_wait * count * slots
            row.append(0.0 if work <= 0.0 else work if work < most else most)
        while row and not row[-1]:
            row.pop()
        return tuple(row)

    def enough(self, behind: Sequence[float]) -> int:
        """The fewest replicas that would have kept every wait within the share of the target; at least one.

        >>> Account(slots=1, may_wait_seconds=10.0).enough((10.0, 18.0, 12.0, 6.0))
        3
        """
        return 1 + max((count for count, work in enumerate(behind, start=1) if work > self.limit(count)), default=0)

    def limit(self, count: int) -> float:
        """Slot-seconds that may wait before so many replicas count as too few."""
        return SHARE_OF_TARGET * self.may_wait_seconds * self.slots * count


NO_ACCOUNT = Account(1, 0.0)
"""For pools whose tasks may not wait for a time."""


def account_of(policy: PoolPolicy) -> Account:
    """The account of this pool."""
    return Account(policy.slots, policy.sizing.seconds) if isinstance(policy.sizing, TargetWait) else NO_ACCOUNT
