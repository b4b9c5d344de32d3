"""What threads tell the app, and widgets their screen."""

from __future__ import annotations

from typing import Literal

from textual.message import Message

from tui.deck.selection import Gauge


class SnapshotReady(Message):
    """A newer snapshot waits in the link: `link.take()`."""


class EngineGone(Message):
    """The engine does not answer; the link goes on trying."""

    def __init__(self, reason: str, stopped: bool) -> None:
        super().__init__()
        self.reason = reason
        self.stopped = stopped  # in an orderly way: then it is not started again unasked


class EngineBack(Message):
    """The engine answers, for the first time or again."""


class Notice(Message):
    """One sentence for the user, from any thread."""

    def __init__(
        self, text: str, severity: Literal["information", "warning", "error"] = "information"
    ) -> None:
        super().__init__()
        self.text = text
        self.severity = severity


class Picked(Message):
    """A container was clicked, and which of its gauges."""

    def __init__(self, id: str, gauge: Gauge | None = None) -> None:
        super().__init__()
        self.id = id
        self.gauge = gauge


class Opened(Message):
    """A container was double-clicked."""

    def __init__(self, id: str) -> None:
        super().__init__()
        self.id = id


class SortBy(Message):
    """A column's title was clicked."""

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column = column


class KeyPressed(Message):
    """A key's name in the key bar was clicked."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.action = action
