"""Asks a configuration what it would have decided at every moment that was seen: the loop's own `tick`, behind its doors a `Witness`.

This is open-loop, like a dry run beside the daemon that acted: every look shows the replicas and the backlog to which the other's
decisions had led. So a decision here is exact for its moment, and the sum of all of them is not what would have happened; for that
`retrace` simulates. Under the configuration that was in force both agree, decision by decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from autoscaler.loop import tick
from autoscaler.model import Memory, Policies, PoolDecision, PoolMemory
from autoscaler.policy.memory import resume
from autoscaler.report.sentence import why
from autoscaler.report.ticks import Look, PoolTick
from autoscaler.sim.witness import Witness, as_it_was

PoliciesAt = Callable[[float], Policies]
"""The policies with the bounds that held at this moment."""
SHORTEST_PAUSE_SECONDS = 60.0
PAUSE_IN_LOOKS = 5.0
"""Looks further apart than this many usual intervals, and than a minute: nobody looked in between."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One pool in one look: what was there and was decided then, and what this configuration would have decided."""

    past: PoolTick
    decided: PoolDecision
    seconds: float
    """Until the next look; 0 where nobody looked for long."""

    @property
    def is_compared(self) -> bool:
        """Whether the settings alone say what should have been decided."""
        return not self.past.beyond_settings

    @property
    def differs(self) -> bool:
        """This configuration would have wanted another count."""
        return self.is_compared and self.decided.desired != self.past.desired

    @property
    def more(self) -> int:
        """Replicas that this configuration would have wanted beyond those that were wanted."""
        return self.decided.desired - self.past.desired


@dataclass(frozen=True, slots=True)
class Moment:
    """Looks in a row in which this configuration wanted more, or fewer, than was wanted."""

    since: float
    until: float
    """When the difference was over: the first look after it, or the last of all."""
    looks: int
    happened: tuple[int, int]
    """Fewest and most replicas that were wanted."""
    desired: tuple[int, int]
    """The same as this configuration would have it."""
    replica_seconds: float
    """By how much they differ, over time; below zero where fewer were wanted."""
    happened_reason: str
    why: str
    """Both where they differ most."""


def replay(policies_at: PoliciesAt, looks: Sequence[Look]) -> Iterator[dict[str, Answer]]:
    """What would have been decided at each look, by pool; pools that were not there then, or are not configured, are left out."""
    witness, memory, sizing = Witness(), _begin(looks), _Sizing()
    for look, seconds in zip(looks, lengths([look.at for look in looks]), strict=True):
        policies = sizing.of(policies_at(look.at), frozenset(look.pools))
        witness.past = look
        record, memory = tick(policies, resume(memory) if look.fresh else memory, witness, witness, look.at)
        memory = as_it_was(memory, look)
        yield {d.pool: Answer(look.pools[d.pool], d, seconds) for d in record.decision.pools}


class _Sizing:
    """The pools that were there, on one broker and with nobody out of date: what else went on then is not this configuration's."""

    def __init__(self) -> None:
        self._known: tuple[Policies | None, frozenset[str]] = None, frozenset()
        self._made: Policies | None = None

    def of(self, policies: Policies, there: frozenset[str]) -> Policies:
        """The same value again for the same question, which is the usual one."""
        if self._made is None or self._known[0] is not policies or self._known[1] != there:
            pools = {name: replace(pool, spec="") for name, pool in policies.pools.items() if name in there}
            self._known, self._made = (policies, there), replace(policies, pools=pools, brokers=())
        return self._made


def _begin(looks: Sequence[Look]) -> Memory:
    """What is known before the first look: the times that had been learned by then."""
    learned: dict[str, PoolMemory] = {}
    for past in (past for look in looks[:1] for past in look.pools.values()):
        if past.boot_seconds is not None and past.stop_seconds is not None:
            learned[past.pool] = PoolMemory(boot_seconds=past.boot_seconds, stop_seconds=past.stop_seconds)
    return Memory(learned)


def lengths(times: Sequence[float]) -> list[float]:
    """How long each look stands for: until the next one; the last one, and one before a long pause, for no time.

    >>> lengths([0.0, 2.0, 4.0, 400.0, 402.0])
    [2.0, 2.0, 0.0, 2.0, 0.0]
    """
    apart = [after - before for before, after in pairwise(times)]
    longest = max(SHORTEST_PAUSE_SECONDS, PAUSE_IN_LOOKS * median(apart)) if apart else 0.0
    return [*(seconds if seconds <= longest else 0.0 for seconds in apart), *(0.0 for _ in times[-1:])]


def moments(answers: Iterable[Answer]) -> Iterator[Moment]:
    """Where one pool's decisions differ, neighbours of the same direction as one."""
    together: list[Answer] = []
    for answer in answers:
        if together and not (answer.differs and (answer.more > 0) == (together[0].more > 0)):
            yield _moment(together, answer.past.at)
            together = []
        if answer.differs:
            together.append(answer)
    if together:
        yield _moment(together, together[-1].past.at)


def _moment(together: Sequence[Answer], until: float) -> Moment:
    most = max(together, key=lambda answer: abs(answer.more))
    happened, desired = [answer.past.desired for answer in together], [answer.decided.desired for answer in together]
    return Moment(
        since=together[0].past.at,
        until=until,
        looks=len(together),
        happened=(min(happened), max(happened)),
        desired=(min(desired), max(desired)),
        replica_seconds=sum(answer.more * answer.seconds for answer in together),
        happened_reason=most.past.reason,
        why=why(most.decided, most.past.at),
    )
