"""A long list of drawn rows with a cursor: only what is in view is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.deck.draw.line import Line
from tui.deck.theme import Ink, palette_of

Draw = Callable[[Any, bool], Line]
"""Draws one item, knowing whether the cursor is on it."""


class Lines(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows one row for each item; with a cursor, `current` is the index of the item it is on."""

    DEFAULT_CSS = """
    Lines { height: 1fr; width: 1fr; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; }
    """
    BINDINGS = [
        Binding("down,j", "move(1)", "down", id="list.down", show=False),
        Binding("up,k", "move(-1)", "up", id="list.up", show=False),
        Binding("pagedown", "page(1)", "page down", id="list.pagedown", show=False),
        Binding("pageup", "page(-1)", "page up", id="list.pageup", show=False),
        Binding("home,g", "end(False)", "first", id="list.first", show=False),
        Binding("end,G", "end(True)", "last", id="list.last", show=False),
        Binding("right", "aside(8)", "right", id="list.right", show=False),
        Binding("left", "aside(-8)", "left", id="list.left", show=False),
    ]

    class Moved(Message):
        """The cursor is on another item."""

    def __init__(self, ground: Ink = "background", *, cursor: bool = True) -> None:
        super().__init__()
        self._ground: Ink = ground
        self._cursor = cursor
        self._items: Sequence[Any] = ()
        self._draw: Draw = lambda item, current: []
        self.current = 0

    @property
    def room(self) -> int:
        """Cells of a row, without the scroll bar's."""
        return self.scrollable_content_region.width

    def show(self, items: Sequence[Any], draw: Draw, wide: int = 0) -> None:
        """Take what is to be shown; `wide` is the widest row where that may be wider than the view."""
        self._items, self._draw = items, draw
        self.current = max(0, min(self.current, len(items) - 1))
        self.virtual_size = Size(wide, len(items))
        self.refresh()

    def select(self, index: int) -> None:
        """Put the cursor on an item and bring it into view."""
        if not self._items:
            return
        before, self.current = self.current, max(0, min(index, len(self._items) - 1))
        self.scroll_to_region(Region(int(self.scroll_x), self.current, 1, 1), animate=False, immediate=True)
        self.refresh()
        if self.current != before:
            self.post_message(self.Moved())

    def action_move(self, by: int) -> None:
        if self._cursor:
            self.select(self.current + by)
        else:
            self.scroll_to(y=self.scroll_y + by, animate=False)

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self.size.height - 1))

    def action_end(self, last: bool) -> None:
        self.action_move(len(self._items) if last else -len(self._items))

    def action_aside(self, by: int) -> None:
        self.scroll_to(x=self.scroll_x + by, animate=False)

    def on_click(self, event: events.Click) -> None:
        if self._cursor and (y := event.y + self.scroll_offset.y) < len(self._items):
            self.select(y)

    def render_line(self, y: int) -> Strip:
        """One row of the view."""
        index, wide = y + self.scroll_offset.y, self.size.width
        blank = palette_of(self).style("text", self._ground)
        if index >= len(self._items):
            return Strip([]).adjust_cell_length(wide, blank)
        current = self._cursor and index == self.current
        strip = Strip(self._draw(self._items[index], current))
        left = self.scroll_offset.x
        if left:
            strip = strip.crop(left, max(left, strip.cell_length))
        end = palette_of(self).style("text", "selection") if current else blank
        return strip.crop(0, wide).adjust_cell_length(wide, end)
