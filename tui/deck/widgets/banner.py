"""The banner below the host strip: one thing worth knowing, or nothing and no row."""

from __future__ import annotations

from textual import events

from tui.deck.alerts import Alert
from tui.deck.draw.line import Line, Row
from tui.deck.messages import Picked
from tui.deck.theme import palette_of
from tui.deck.widgets.drawn import DrawnLine
from tui.presentation.text import clip, harmless

SIGNS = {"failed": "✕", "stalled": "▽", "warn": "!", "text": "·"}


class Banner(DrawnLine):
    """Shows one alert; a click selects the container it is about."""

    def __init__(self) -> None:
        super().__init__("banner")
        self._alert: Alert | None = None
        self.display = False

    def show(self, alert: Alert | None) -> None:
        """Take what is to be shown; None hides the row."""
        self._alert = alert
        self.display = alert is not None
        self.sync()

    def line(self) -> Line:
        """See DrawnLine."""
        palette, wide = palette_of(self), self.outer_size.width
        if self._alert is None:
            return []
        row = Row().add(f" {SIGNS[self._alert.tone]} ", palette.style(self._alert.tone, "surface", bold=True))
        row.add(
            clip(harmless(self._alert.text), wide - row.cells - 1), palette.style(self._alert.tone, "surface")
        )
        return row.fill(wide, palette.style("text", "surface")).segments

    def on_click(self, event: events.Click) -> None:
        if self._alert is not None and self._alert.id:
            self.post_message(Picked(self._alert.id))
