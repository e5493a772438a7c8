"""Which broker is active: pure, with hysteresis both ways, so that a broker that stumbles does not drag the fleet to and fro.

`decide` hands in what was seen of each broker and what is remembered, and gets the choice with its reason in words. The brokers'
order in the file is their rank. The active one is left after `DOWN_LOOKS` failed looks in a row, or at once when it says that
its quota is spent, for that does not pass by itself. It is returned to after it has served for `BACK_SECONDS`.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.model import BrokerChoice, BrokerSight, BrokerTrack, Health, Memory
from autoscaler.model.brokers import NO_BROKER

DOWN_LOOKS = 3
BACK_SECONDS = 60.0
BACK_LOOKS = 3
"""It must also have been asked so often meanwhile: a broker that rests is not asked at every tick."""


def choose(brokers: tuple[str, ...], seen: Mapping[str, BrokerSight], memory: Memory, now: float) -> BrokerChoice:
    """The broker to start workers for, of these in the order of their rank."""
    if not brokers:
        return NO_BROKER
    tracks = {name: track(memory.brokers.get(name, BrokerTrack()), seen.get(name), now) for name in brokers}
    before = memory.active_broker if memory.active_broker in brokers else ""
    active, why = _choice(brokers, before or brokers[0], seen, tracks, now)
    return BrokerChoice(active, why, before, tracks)


def track(old: BrokerTrack, sight: BrokerSight | None, now: float) -> BrokerTrack:
    """What is known of one broker after this look; a look that has not ended, or was left out, teaches nothing."""
    if sight is None or not sight.fresh:
        return old
    if sight.health.is_down:
        return BrokerTrack(failed=old.failed + 1)
    return BrokerTrack(0, old.answered + 1, now if old.up_since is None else old.up_since)


def _choice(
    brokers: tuple[str, ...], active: str, seen: Mapping[str, BrokerSight], tracks: Mapping[str, BrokerTrack], now: float
) -> tuple[str, str]:
    better = brokers[: brokers.index(active)]
    if _is_down(tracks[active], seen.get(active)):
        trouble = seen[active].detail if active in seen else ""
        other = next((name for name in brokers if name != active and tracks[name].answered), None)
        if other is None:
            return active, f"{trouble or active}, and no other broker answers" if len(brokers) > 1 else trouble
        return other, f"{active} is left: {trouble}"
    for name in better:
        if _is_back(tracks[name], now):
            return name, f"{name} has served again for {now - (tracks[name].up_since or now):.0f} s"
    return active, _staying(active, better, seen, tracks, now)


def _is_down(of: BrokerTrack, sight: BrokerSight | None) -> bool:
    return of.failed >= DOWN_LOOKS or (of.failed > 0 and sight is not None and sight.health is Health.QUOTA)


def _is_back(of: BrokerTrack, now: float) -> bool:
    return of.up_since is not None and of.answered >= BACK_LOOKS and now - of.up_since >= BACK_SECONDS


def _staying(
    active: str, better: tuple[str, ...], seen: Mapping[str, BrokerSight], tracks: Mapping[str, BrokerTrack], now: float
) -> str:
    """Why nothing changes, where there is something to say."""
    if tracks[active].failed:
        return f"{active} has failed {tracks[active].failed} of the {DOWN_LOOKS} looks after which it is left: {seen[active].detail}"
    for name in better:
        since = tracks[name].up_since
        if since is not None:
            left = max(0.0, since + BACK_SECONDS - now)
            return f"{name} serves again, and is returned to after {BACK_SECONDS:.0f} s of it, {left:.0f} s from now"
        if name in seen and seen[name].health.is_down:
            return f"{name} does not serve: {seen[name].detail}"
    return "the first that serves"
