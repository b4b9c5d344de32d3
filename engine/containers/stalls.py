"""Telling, as events, when something begins to stall and why, and when that is over."""

from __future__ import annotations

from engine.events import Events
from engine.watch.blame import Ruling

AGAIN = 60.0  # seconds in which the same is not told twice
REMEMBERED = 256


class Stalls:
    """Emits "stall" and "stall_end"; what begins and ends all the time is told once a minute."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._told = dict[tuple[str, str], float]()  # when a stall was begun to be told
        self._open = set[tuple[str, str]]()  # told to have begun

    def tell(self, ruling: Ruling, at: float) -> None:
        """Tell of a verdict that began or ended at a time (any clock in seconds)."""
        verdict = ruling.verdict
        key = verdict.id, verdict.resource
        if ruling.begins:
            if at - self._told.get(key, float("-inf")) < AGAIN:
                return
            self._told = dict(list(self._told.items())[-REMEMBERED:]) | {key: at}
            self._open.add(key)
        elif key in self._open:
            self._open.discard(key)
        else:
            return
        attributes = {"resource": verdict.resource, "stall": f"{verdict.stall:.2f}", "cause": verdict.cause}
        if verdict.held is not None:
            attributes["limit"] = verdict.held.limit
        if (accused := verdict.accused) is not None:
            attributes |= {"suspect": accused.name, "confidence": f"{accused.confidence:.2f}"}
        type = "cgroup" if verdict.id.startswith("cgroup:") else "container"
        action = "stall" if ruling.begins else "stall_end"
        self._events.emit(type, action, verdict.id, verdict.name, attributes)
