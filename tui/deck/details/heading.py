"""The row above a list."""

from __future__ import annotations

from tui.deck.draw.line import Line, Row
from tui.deck.theme import palette_of
from tui.deck.widgets.drawn import DrawnLine
from tui.presentation.text import clip


class Heading(DrawnLine):
    """Titles, or a sentence about what the list shows."""

    def __init__(self, text: str) -> None:
        super().__init__("heading")
        self._text = text

    def tell(self, text: str) -> None:
        """Say something else."""
        self._text = text
        self.sync()

    def line(self) -> Line:
        """See DrawnLine."""
        style, wide = palette_of(self).style("muted", "surface"), self.outer_size.width
        return Row().add(clip(self._text, wide), style).fill(wide, style).segments
