"""Charts below each other in whatever height there is."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip
from textual.widget import Widget

from tui.deck.draw import chart
from tui.deck.draw.chart import Chart
from tui.deck.draw.line import Line
from tui.deck.theme import Ink, palette_of

MOST, MOST_SMALL = 10, 3  # rows of a tall chart, and of the others where there is more room


class Charts(Widget):
    """Shows what `show` is given, and repaints the rows that differ."""

    DEFAULT_CSS = "Charts { height: 1fr; width: 1fr; }"

    def __init__(self, seconds: float, ground: Ink = "background", *, axis: bool = True) -> None:
        super().__init__()
        self._seconds = seconds
        self._ground: Ink = ground
        self._axis = axis
        self._charts: Sequence[Chart] = ()
        self._now = 0.0
        self._lines: list[Line] = []

    def show(self, charts: Sequence[Chart], now: float) -> None:
        """Take what is to be shown."""
        self._charts, self._now = charts, now
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def redraw(self) -> None:
        """Draw again in the colours of now."""
        self._draw()

    def _draw(self) -> None:
        wide, high = self.size
        if not wide or not self._charts:
            return
        palette = palette_of(self)
        lines: list[Line] = []
        for one, rows in zip(self._charts, self._heights(high), strict=True):
            lines += chart.draw(one, self._now, self._seconds, wide, rows, palette, self._ground)
        if self._axis:
            lines.append(chart.axis(self._seconds, wide, palette, self._ground))
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    def _heights(self, high: int) -> list[int]:
        tall = sum(1 for one in self._charts if one.tall)
        small = len(self._charts) - tall
        left = high - (1 if self._axis else 0)
        each = max(1, min(MOST, (left - small) // tall)) if tall else 0
        rest = max(1, min(MOST_SMALL, (left - each * tall) // small)) if small else 0
        return [each if one.tall else rest for one in self._charts]

    def render_line(self, y: int) -> Strip:
        """One row."""
        blank = palette_of(self).style("text", self._ground)
        line = self._lines[y] if y < len(self._lines) else []
        return Strip(line).adjust_cell_length(self.size.width, blank)
