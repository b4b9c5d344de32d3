"""The time line of a recording: where in it the deck is."""

from __future__ import annotations

from tui.deck.draw.line import Line, Row
from tui.deck.replay.link import ReplayLink
from tui.deck.theme import palette_of
from tui.deck.widgets.drawn import DrawnLine
from tui.presentation.times import local_stamp


class TimeLine(DrawnLine):
    """Shows the moment."""

    def __init__(self, link: ReplayLink) -> None:
        super().__init__("timeline")
        self._link = link

    def line(self) -> Line:
        """See DrawnLine."""
        palette, wide, link = palette_of(self), self.outer_size.width, self._link
        row = Row().add(
            f" {'▶' if link.playing else '‖'} ×{link.speed}  ", palette.style("selected", "surface")
        )
        row.add(local_stamp(link.position), palette.style("text", "surface", bold=True))
        return row.fill(wide, palette.style("muted", "surface")).segments
