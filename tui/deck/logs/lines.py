"""The part of the log pane with the output in it, and the scroll bar at its side."""

from __future__ import annotations

from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from tui.deck.logs import draw
from tui.deck.logs.reader import View
from tui.deck.theme import palette_of

WHEEL = 3  # rows


class LogLines(Widget):
    """Draws a view; knows nothing of where it comes from."""

    DEFAULT_CSS = "LogLines { height: 1fr; width: 1fr; }"

    class Scrolled(Message):
        """The wheel was turned; rows, negative upwards."""

        def __init__(self, rows: int) -> None:
            super().__init__()
            self.rows = rows

    class Sought(Message):
        """A place of the scroll bar was chosen; its share of the way."""

        def __init__(self, share: float) -> None:
            super().__init__()
            self.share = share

    class Selecting(Message):
        """Text is being selected: it should stay where it is."""

    class Resized(Message):
        """There is other room."""

    def __init__(self) -> None:
        super().__init__(id="log-lines")
        self.view = View()
        self.look: draw.Look | None = None
        self._strips: list[Strip] = []
        self._strips_of: object = None

    def room(self, times: bool) -> Size:
        """Cells for text, and rows."""
        return Size(max(1, self.size.width - 1 - draw.gutter(times)), self.size.height)

    def show(self, view: View, look: draw.Look) -> None:
        """Draw another view, or the same one differently; repaints once."""
        if (view, look) == (self.view, self.look):
            return
        stays = [(r.line.offset, r.begin) for r in view.rows] == [
            (r.line.offset, r.begin) for r in self.view.rows
        ]
        self.view, self.look = view, look
        if not stays and self.text_selection is not None:
            self.screen.clear_selection()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One row of the view, from those drawn for it."""
        palette, wide = palette_of(self), self.size.width - 1
        selection = self.text_selection
        key = (self.view, self.look, palette.name, self.size, selection)
        if self._strips_of != key:
            self._strips_of = key
            self._strips = []
            if self.look is not None:
                look = self.look._replace(palette=palette)
                ink = palette.style("text", "selection")
                for at, row in enumerate(self.view.rows):
                    span = selection.get_span(at) if selection is not None else None
                    self._strips.append(draw.row(row, look, wide, span, ink, at))
        strip = self._strips[y] if y < len(self._strips) else Strip.blank(wide, palette.style("text"))
        return Strip([*strip, self._bar(y)], wide + 1)

    def _bar(self, y: int) -> Segment:
        """The scroll bar's cell: how much of the log's bytes is above and below."""
        view, palette, high = self.view, palette_of(self), self.size.height
        whole = view.end - view.start
        if whole <= 0 or len(view.rows) < high:
            return Segment(" ", palette.style("text"))
        thumb = max(1, round(high * (view.bottom - view.top) / whole))
        share = 1.0 if view.ended else (view.top - view.start) / max(1, whole - (view.bottom - view.top))
        begin = round(min(max(share, 0), 1) * (high - thumb))
        inside = begin <= y < begin + thumb
        return Segment("┃" if inside else "│", palette.style("muted" if inside else "track"))

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The program's text in the selected rows; rows of one line are put together again."""
        pieces: list[str] = []
        for y, row in enumerate(self.view.rows):
            span = selection.get_span(y)
            if span is None:
                continue
            text = row.text.plain[row.begin : row.end]
            if pieces and row.leads:
                pieces.append("\n")
            pieces.append(text[span[0] : None if span[1] < 0 else span[1]])
        return "".join(pieces), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        if selection is not None:
            self.post_message(self.Selecting())
        self.refresh()

    def on_resize(self) -> None:
        self.post_message(self.Resized())

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.post_message(self.Scrolled(-WHEEL))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.post_message(self.Scrolled(WHEEL))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if event.x == self.size.width - 1:
            self.capture_mouse()
            self._seek(event.y)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self.app.mouse_captured is self:
            self._seek(event.y)

    def on_mouse_up(self) -> None:
        self.release_mouse()

    def _seek(self, y: int) -> None:
        self.post_message(self.Sought(min(max(y / max(1, self.size.height - 1), 0), 1)))
