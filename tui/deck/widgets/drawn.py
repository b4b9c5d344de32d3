"""A widget of one row that a function draws."""

from __future__ import annotations

from textual.strip import Strip
from textual.widget import Widget

from tui.deck.draw.line import Line


class DrawnLine(Widget):
    """Draws one row; subclasses say what is in it, and `sync` repaints it where that has changed."""

    DEFAULT_CSS = "DrawnLine { height: 1; width: 1fr; }"

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._drawn: Line = []

    def line(self) -> Line:
        """What is in the row, as wide as the widget."""
        raise NotImplementedError

    def sync(self) -> None:
        """Repaint if it differs from what is on the screen."""
        if self.outer_size.width and (line := self.line()) != self._drawn:
            self._drawn = line
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The row."""
        self._drawn = self.line()
        return Strip(self._drawn)
