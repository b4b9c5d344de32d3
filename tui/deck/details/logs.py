"""The whole height for the container's output."""

from __future__ import annotations

from textual.app import ComposeResult

from tui.deck.details.tab import Tab
from tui.deck.logs.pane import LogPane


class Logs(Tab):
    """The log pane."""

    DEFAULT_CSS = "Logs LogPane { height: 1fr; }"

    def compose(self) -> ComposeResult:
        yield LogPane(self.subject.link)

    def opened(self) -> None:
        container = self.subject.container
        self.query_one(LogPane).show(self.subject.id, container.tty if container else False)

    def refresh_now(self) -> None:
        """Nothing: the log pane follows the log itself."""

    def take_focus(self) -> None:
        self.query_one(LogPane).focus()
