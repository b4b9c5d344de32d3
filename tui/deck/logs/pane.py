"""The log pane: output of one container, live."""

from __future__ import annotations

from textual.widget import Widget

from tui.deck.engine_link import Link


class LogPane(Widget, can_focus=True):
    """Follows the output of one container at a time."""

    def __init__(self, link: Link) -> None:
        super().__init__(id="logs")
        self._link = link
        self._container = ""

    def show(self, container_id: str, tty: bool) -> None:
        """Follow another container; "" for none."""
        self._container = container_id

    def render(self) -> str:
        return ""
