"""The room on the host: workers are started only as far as its memory and processors go by the workers' limits.

Asked last, after the cap over all pools, with what the engine says of its host. A start that finds no room waits. Nobody who works is
stopped because the host is too small; replicas that a pool keeps only by its stabilization window leave, as they do for the cap.
Where the host is unknown, or workers have no limits, nothing is held back.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from autoscaler.model import NO_NEED, ContainerState, Host, Known, Need, Observation, Phase
from autoscaler.policy.budget import claim, spare
from autoscaler.policy.reasons import Reason
from autoscaler.policy.rules import Proposal

GIVES_WAY = "work of another pool finds no room on this host"
GIB, MIB = 2**30, 2**20
SLACK_CPUS = 1e-9
"""Sums of fractions of a processor are not exact."""


def fit(proposals: tuple[Proposal, ...], seen: Observation) -> tuple[Proposal, ...]:
    """The proposals with their starts cut to what the host has room for."""
    if not isinstance(seen.host, Known) or not any(p.count > p.current and p.policy.need != NO_NEED for p in proposals):
        return proposals
    host = seen.host.value
    room = _free(host, proposals, seen)
    granted = _give(proposals, room)
    left = _give_way(granted, proposals, host, room)
    return tuple(
        p.take(p.step("room", n, Reason.NO_ROOM, _told(p, n, host, room) if p.count > p.current else GIVES_WAY))
        for p, n in zip(proposals, left, strict=True)
    )


@dataclass(slots=True)
class _Room:
    """What is left on the host while it is given away; below zero where more may be taken already than there is."""

    memory_bytes: int
    cpus: float

    def take(self, need: Need, workers: int = 1) -> None:
        """So many more such workers."""
        self.memory_bytes -= need.memory_bytes * workers
        self.cpus -= need.cpus * workers

    def lacks(self, need: Need) -> str:
        """What one such worker would not find, empty where there is room for it; what it does not need may be short."""
        if need.memory_bytes > max(0, self.memory_bytes):
            return "memory"
        return "cpus" if need.cpus > max(0.0, self.cpus) + SLACK_CPUS else ""


def _free(host: Host, proposals: tuple[Proposal, ...], seen: Observation) -> _Room:
    """What is left beside others and our own workers: also those that are ordered, that leave, and that failed to start."""
    needs = {p.policy.name: p.policy.need for p in proposals}
    room = _Room(host.memory_bytes - host.others_bytes, host.cpus)
    for container in seen.containers.value if isinstance(seen.containers, Known) else ():
        if container.state is not ContainerState.EXITED:
            room.take(container.need or needs.get(container.pool, NO_NEED))
    for p in proposals:
        room.take(p.policy.need, sum(not r.container_id for r in p.view.replicas))
    return room


def _give(proposals: tuple[Proposal, ...], room: _Room) -> list[int]:
    """One start at a time, in the order of the cap; who does not fit makes way for smaller ones."""
    counts = [min(p.count, p.current) for p in proposals]
    line = [claim(p, n, i) for i, (p, n) in enumerate(zip(proposals, counts, strict=True)) if n < p.count]
    heapq.heapify(line)
    while line:
        i = heapq.heappop(line)[3]
        p = proposals[i]
        if room.lacks(p.policy.need):
            continue
        room.take(p.policy.need)
        counts[i] += 1
        if counts[i] < p.count:
            heapq.heappush(line, claim(p, counts[i], i))
    return counts


def _give_way(granted: list[int], proposals: tuple[Proposal, ...], host: Host, room: _Room) -> list[int]:
    """Let go of replicas that no work asks for, until what others lack would fit; nobody leaves for one that never could.

    The room is theirs once these have left. What is leaving already need not be freed again.
    """
    whole = _Room(host.memory_bytes - host.others_bytes, host.cpus)
    counts, lack = list(granted), _Room(-max(0, room.memory_bytes), -max(0.0, room.cpus))
    for p, n in zip(proposals, granted, strict=True):
        if not whole.lacks(p.policy.need):
            lack.take(p.policy.need, -max(0, p.count - max(n, p.current)))
        lack.take(p.policy.need, len(p.view.of(Phase.DRAINING)))
    for i, p in enumerate(proposals):
        need = p.policy.need
        for _ in range(spare(p, counts[i])):
            if not (lack.memory_bytes > 0 < need.memory_bytes or (lack.cpus > SLACK_CPUS and need.cpus > 0)):
                break
            counts[i] -= 1
            lack.take(need)
    return counts


def _told(p: Proposal, granted: int, host: Host, left: _Room) -> str:
    """What is short, and how much of it is taken, in numbers."""
    need, fits = p.policy.need, f"no room on this host for more than {granted} of {p.count} replicas"
    if left.lacks(need) == "memory":
        others = f", {size(host.others_bytes)} of it by containers of others" if host.others_bytes else ""
        taken = size(host.memory_bytes - left.memory_bytes)
        return f"{fits}: {size(need.memory_bytes)} each, {taken} of {size(host.memory_bytes)} taken{others}"
    return f"{fits}: {need.cpus:g} CPUs each, {host.cpus - left.cpus:g} of {host.cpus:g} taken"


def size(count_bytes: int) -> str:
    """An amount of memory as people say it.

    >>> size(3 * GIB), size(512 * MIB), size(GIB + GIB // 2)
    ('3 GiB', '512 MiB', '1.5 GiB')
    """
    return f"{count_bytes / GIB:.3g} GiB" if count_bytes >= GIB else f"{count_bytes / MIB:.3g} MiB"
