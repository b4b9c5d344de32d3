"""The moments of a recording that are worth looking at, and the way from one to the next."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Literal

import msgspec

from engine.recording import Recording
from engine.recording.minute import OOM
from engine.recording.summary import Summary, suffering, summary
from tui.deck.theme import Ink
from tui.presentation.recordings import event_text, worst_text

Kind = Literal["worst", "event"]
NEAR = 3.0  # seconds around a moment within which it is told of


class Moment(msgspec.Struct, frozen=True):
    """One of them."""

    at: float
    kind: Kind
    sign: str
    ink: Ink
    text: str
    id: str  # of the container it is about


class Survey(msgspec.Struct, frozen=True):
    """A recording looked through."""

    summary: Summary
    suffering: Sequence[tuple[float, float, float]]  # from, to, share
    moments: Sequence[Moment]  # oldest first

    def beside(self, at: float, kind: Kind, later: bool) -> Moment | None:
        """The next of a kind after a moment, or before it."""
        found = [moment for moment in self.moments if moment.kind == kind]
        times = [moment.at for moment in found]
        place = bisect_right(times, at + 0.01) if later else bisect_left(times, at - 0.01) - 1
        return found[place] if 0 <= place < len(found) else None

    def near(self, at: float) -> Moment | None:
        """What is to be told of a moment."""
        close = [moment for moment in self.moments if -NEAR <= moment.at - at <= NEAR / 3]
        return min(close, key=lambda moment: (abs(moment.at - at), moment.kind != "event"), default=None)


def survey(recording: Recording) -> Survey:
    """Look a recording through; takes a second or more for a long one."""
    told = summary(recording)
    moments = [
        Moment(
            one.at,
            "worst",
            "✕" if one.kind == OOM else "▼",
            "failed" if one.kind == OOM else "warn" if one.kind == "throttled" else "stalled",
            worst_text(one),
            one.id,
        )
        for one in told.worst
    ]
    moments += [
        Moment(event.at, "event", *event_look(event.action), event_text(event), event.id)
        for event in told.events
    ]
    return Survey(told, suffering(recording), sorted(moments, key=lambda moment: moment.at))


def event_look(action: str) -> tuple[str, Ink]:
    """The sign of an event, and its colour."""
    match action:
        case "update":
            return "┊", "flash"
        case "oom":
            return "✕", "failed"
        case "start" | "unpause" | "restart":
            return "↑", "running"
        case "die" | "pause" | "destroy":
            return "↓", "stopped"
    return "·", "muted"
