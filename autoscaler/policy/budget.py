"""The cap over all pools: who gets the room that is left on this host.

Minima come first, then pools of a higher `priority`, then one replica at a time to the pool that has the fewest. Replicas that a
pool keeps only by its stabilization window give way to another pool's work. Draining replicas still use the host, so they count
against new starts, but never push others out.
"""

from __future__ import annotations

import heapq

from autoscaler.policy.reasons import Reason
from autoscaler.policy.rules import Proposal
from autoscaler.policy.steering import keeps


def share(proposals: tuple[Proposal, ...], max_replicas: int) -> tuple[Proposal, ...]:
    """The proposals with their counts cut so that all together stay within `max_replicas`."""
    if sum([max(p.count, p.current) + p.view.leaving for p in proposals]) <= max_replicas:
        return proposals
    kept = _shrink([min(p.count, p.current) for p in proposals], proposals, max_replicas)
    granted = _give_way(_grow(kept, proposals, max_replicas), proposals, max_replicas)
    because = f"max_replicas is {max_replicas} over all pools"
    return tuple(p.take(p.step("budget", n, Reason.TOTAL_LIMIT, because)) for p, n in zip(proposals, granted, strict=True))


def _shrink(counts: list[int], proposals: tuple[Proposal, ...], cap: int) -> list[int]:
    """Take one at a time, of the lowest priority first, from the pool that is furthest above its minimum until the cap holds."""
    heap = [_surplus(p, n, i) for i, (p, n) in enumerate(zip(proposals, counts, strict=True)) if n > 0]
    heapq.heapify(heap)
    for _ in range(sum(counts) - cap):
        i = heap[0][3]
        counts[i] -= 1
        if counts[i]:
            heapq.heapreplace(heap, _surplus(proposals[i], counts[i], i))
        else:
            heapq.heappop(heap)
    return counts


def _grow(counts: list[int], proposals: tuple[Proposal, ...], cap: int) -> list[int]:
    """Give one at a time, first to pools below their minimum, then to the one with the fewest.

    Only room that nobody uses now is given: a replica that is told to leave in this very decision still runs. There is always
    less of it than is asked for, or nothing would have to be shared.
    """
    heap = [claim(p, n, i) for i, (p, n) in enumerate(zip(proposals, counts, strict=True)) if n < p.count]
    heapq.heapify(heap)
    for _ in range(max(0, cap - sum([p.current + p.view.leaving for p in proposals]))):
        i = heap[0][3]
        counts[i] += 1
        if counts[i] < proposals[i].count:
            heapq.heapreplace(heap, claim(proposals[i], counts[i], i))
        else:
            heapq.heappop(heap)
    return counts


def _give_way(counts: list[int], proposals: tuple[Proposal, ...], cap: int) -> list[int]:
    """Let go of replicas that no work asks for, as many as other pools lack; a blind pool, or one held by hand, keeps all of its own.

    The room is theirs once these have left: until then they still use the host. What is leaving already need not be given again.
    """
    lacking = sum(p.count - n for p, n in zip(proposals, counts, strict=True)) - (cap - sum(counts))
    for i, p in enumerate(proposals):
        given = min(spare(p, counts[i]), max(0, lacking))
        counts[i] -= given
        lacking -= given
    return counts


def spare(p: Proposal, count: int) -> int:
    """How many of so many replicas no work asks for; of a blind pool, or one that is held by hand, none can be told to be spare."""
    return 0 if p.view.blind or keeps(p) else max(0, count - max(p.recommended, p.policy.replicas_min))


def claim(p: Proposal, count: int, index: int) -> tuple[bool, int, int, int]:
    """The place in line of a pool that has so many and wants one more: smallest first."""
    return (count >= p.policy.replicas_min, -p.policy.priority, count, index)


def _surplus(p: Proposal, count: int, index: int) -> tuple[bool, int, int, int]:
    """The place in line of a pool that has so many and may have to give one: smallest first."""
    return (count <= p.policy.replicas_min, p.policy.priority, p.policy.replicas_min - count, index)
