"""Rows of segments, built from the left with the cells counted."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style

from tui.presentation.text import clip, pad, width

Line = list[Segment]


class Row:
    """One row under construction; `cells` is how wide it is so far."""

    __slots__ = ("cells", "segments")

    def __init__(self) -> None:
        self.segments: Line = []
        self.cells = 0

    def add(self, text: str, style: Style) -> Row:
        """Append text as it is."""
        if text:
            self.segments.append(Segment(text, style))
            self.cells += width(text)
        return self

    def join(self, line: Line) -> Row:
        """Append another row's segments."""
        self.segments += line
        self.cells += cells(line)
        return self

    def fill(self, until: int, style: Style, character: str = " ") -> Row:
        """Append a character until the row is so many cells wide."""
        return self.add(character * (until - self.cells), style)

    def right(self, text: str, until: int, style: Style, blank: Style | None = None) -> Row:
        """Append text so that it ends at `until`, clipped where there is too little room."""
        text = clip(text, max(0, until - self.cells))
        return self.fill(until - width(text), blank or style).add(text, style)


def cells(line: Line) -> int:
    """How wide a row is."""
    return sum(width(segment.text) for segment in line)


def cut(line: Line, room: int) -> Line:
    """The row in at most `room` cells."""
    out, left = [], room
    for segment in line:
        wide = width(segment.text)
        if wide > left:
            if left > 0:
                out.append(Segment(pad(segment.text, left), segment.style))
            break
        out.append(segment)
        left -= wide
    return out
