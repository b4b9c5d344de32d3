"""Telling, as events, when a container begins to stall and why, and when that is over."""

from __future__ import annotations

from collections.abc import Callable

from engine.events import Events
from engine.watch.blame import Ruling


def tell(events: Events, ruling: Ruling, name_of: Callable[[str], str]) -> None:
    """Emit "stall" or "stall_end" for what a verdict is about."""
    verdict = ruling.verdict
    attributes = {"resource": verdict.resource, "stall": f"{verdict.stall:.2f}", "cause": verdict.cause}
    if verdict.held is not None:
        attributes["limit"] = verdict.held.limit
    if (accused := verdict.accused) is not None:
        attributes |= {"suspect": accused.name, "confidence": f"{accused.confidence:.2f}"}
    container = not verdict.id.startswith("cgroup:")
    events.emit(
        "container" if container else "cgroup",
        "stall" if ruling.begins else "stall_end",
        verdict.id,
        name_of(verdict.id) if container else verdict.id.partition(":")[2],
        attributes,
    )
