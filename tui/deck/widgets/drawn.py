"""Widgets of drawn rows: what a repaint costs is the rows that differ."""

from __future__ import annotations

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.deck.draw.line import Line


def repaint(widget: Widget, before: dict[int, Line], after: dict[int, Line]) -> None:
    """Repaint those of a widget's rows that differ from what is on the screen."""
    wide = widget.outer_size.width
    if dirty := [Region(0, y, wide, 1) for y, line in after.items() if line != before.get(y)]:
        widget.refresh(*dirty)


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
