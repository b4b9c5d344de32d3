"""What threads tell the app; all of them are posted to the app itself."""

from __future__ import annotations

from typing import Literal

from textual.message import Message


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

    def __init__(self, text: str, severity: Literal["information", "warning", "error"] = "information") -> None:
        super().__init__()
        self.text = text
        self.severity = severity


class StoreChanged(Message):
    """Something other than a snapshot changed the store: history came, a limit was applied, tails grew."""
