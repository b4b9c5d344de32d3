"""The time line of a recording: how bad it was when, what happened, and where in it the deck is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.deck.draw.line import Line, Row, cut
from tui.deck.replay.link import ReplayLink
from tui.deck.replay.moments import Survey
from tui.deck.theme import Ink, Palette, palette_of
from tui.presentation.text import clip, width
from tui.presentation.times import clock, duration, local_stamp

RISING = "▁▂▃▄▅▆▇█"
GROUND: Ink = "surface"
ORDER = ("✕", "▼", "┊", "↓", "↑", "·")
"""Which sign is drawn where several fall on one place."""


class View:
    """What the time line shows."""

    def __init__(self, begin: float, end: float, position: float, survey: Survey | None) -> None:
        self.begin, self.end, self.position, self.survey = begin, end, position, survey

    def place(self, at: float, wide: int) -> int:
        """The column of a moment."""
        span = max(self.end - self.begin, 1e-9)
        return min(wide - 1, max(0, int((at - self.begin) / span * wide)))


def draw(view: View, wide: int, palette: Palette) -> list[Line]:
    """Two rows: how much who suffered most did suffer, with the cursor on it; below it, signs for moments."""
    return [_levels(view, wide, palette), _signs(view, wide, palette)]


def _levels(view: View, wide: int, palette: Palette) -> Line:
    most: list[float | None] = [None] * wide
    for begin, end, share in view.survey.suffering if view.survey else ():
        for column in range(view.place(begin, wide), view.place(end, wide) + 1):
            most[column] = max(most[column] or 0.0, share)
    cursor = view.place(view.position, wide)
    row = Row()
    for column, value in enumerate(most):
        ink: Ink = "muted" if value is None or value < 0.05 else "stalled"
        text = " " if value is None else RISING[min(7, round(value * 7))]
        style = palette.style(ink, GROUND)
        if column == cursor:
            style, text = (
                palette.style("selected", GROUND, bold=True, reverse=True),
                text if text != " " else "│",
            )
        row.add(text, style)
    return row.segments


def _signs(view: View, wide: int, palette: Palette) -> Line:
    signs: dict[int, tuple[str, Ink]] = {}
    for moment in view.survey.moments if view.survey else ():
        place = view.place(moment.at, wide)
        if place not in signs or ORDER.index(moment.sign) < ORDER.index(signs[place][0]):
            signs[place] = (moment.sign, moment.ink)
    quiet = palette.style("muted", GROUND)
    first, last = f"{clock(view.begin)} ", f" {clock(view.end)}"
    ends = {**dict(enumerate(first)), **{wide - len(last) + n: c for n, c in enumerate(last)}}
    row = Row()
    for column in range(wide):
        if column in signs:
            sign, ink = signs[column]
            row.add(sign, palette.style(ink, GROUND, bold=True))
        else:
            row.add(ends.get(column, " ") if wide > 40 else " ", quiet)
    return row.segments


class TimeLine(Widget):
    """Says where in the recording the deck is; a click goes to another place in it."""

    DEFAULT_CSS = "TimeLine { height: 3; width: 1fr; dock: bottom; margin-bottom: 1; }"
    ALLOW_SELECT: ClassVar[bool] = False

    class Sought(Message):
        """A place was clicked."""

        def __init__(self, at: float) -> None:
            super().__init__()
            self.at = at

    def __init__(self, link: ReplayLink) -> None:
        super().__init__(id="timeline")
        self._link = link
        self._lines: Sequence[Line] = ()

    def sync(self) -> None:
        """Draw again, and repaint where something differs."""
        if (lines := self._draw()) != self._lines:
            self._lines = lines
            self.refresh()

    def on_resize(self) -> None:
        self.sync()

    def render_line(self, y: int) -> Strip:
        """One row."""
        blank = palette_of(self).style("text", GROUND)
        line = self._lines[y] if y < len(self._lines) else []
        return Strip(line).adjust_cell_length(self.size.width, blank)

    def on_click(self, event: events.Click) -> None:
        recording = self._link.recording
        part = (event.x + 0.5) / max(1, self.size.width)
        self.post_message(self.Sought(recording.begin + part * (recording.end - recording.begin)))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if event.button:
            self.on_click(event)  # type: ignore[arg-type]

    def _draw(self) -> list[Line]:
        palette, wide, link = palette_of(self), self.size.width, self._link
        if not wide:
            return []
        recording = link.recording
        view = View(recording.begin, recording.end, link.position, link.survey)
        return [self._told(wide, palette), *draw(view, wide, palette)]

    def _told(self, wide: int, palette: Palette) -> Line:
        """The moment, the speed, and what is to be said of it."""
        link, recording = self._link, self._link.recording
        quiet = palette.style("muted", GROUND)
        row = Row().add(" replay ", palette.style("warn", GROUND, bold=True, reverse=True))
        row.add(
            f" {'▶' if link.playing else '‖'} ×{link.speed:<2} ", palette.style("selected", GROUND, bold=True)
        )
        row.add(f" {local_stamp(link.position)[:19]}", palette.style("text", GROUND, bold=True))
        row.add(
            f"  {duration(link.position - recording.begin)} of {duration(recording.end - recording.begin)}  ",
            quiet,
        )
        if link.survey is None:
            row.add("looking it through …", quiet)
        elif (moment := link.survey.near(link.position)) is not None:
            text = f"{moment.sign} {moment.text}"
            row.add(clip(text, max(0, wide - row.cells - 1)), palette.style(moment.ink, GROUND, bold=True))
        else:
            worst = sum(1 for one in link.survey.moments if one.kind == "worst")
            others = len(link.survey.moments) - worst
            told = f"{worst} worst moments · {others} events"
            if row.cells + width(told) < wide:
                row.add(told, quiet)
        return cut(row.fill(wide, quiet).segments, wide)
