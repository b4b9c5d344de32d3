"""The table view: one line a container, drawn only where it is in view and only where it changed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.deck.draw import rows
from tui.deck.draw.line import Line
from tui.deck.messages import Opened, Picked, SortBy
from tui.deck.selection import Gauge, Selection
from tui.deck.store import Store
from tui.deck.theme import palette_of
from tui.deck.widgets.drawn import repaint


class ContainerTable(ScrollView, can_focus=True, inherit_bindings=False):
    """All containers as rows below a header that stays; call `sync` after anything it shows has changed."""

    NAME = (rows.LEAST_NAME, rows.MOST_NAME)  # cells
    WITHOUT: Sequence[str] = ()  # keys of columns that are not for what this table shows

    def __init__(self, store: Store, selection: Selection) -> None:
        super().__init__(id="table")
        self._store = store
        self._selection = selection
        self._ids: Sequence[str] = ()
        self._fit = rows.fit(80, self.NAME, self.WITHOUT)
        self._drawn: dict[int, Line] = {}  # by row of the widget
        self._rows: dict[tuple[str, bool, Gauge | None, bool], Line] = {}  # made since the newest snapshot
        self._made_of: object = None
        self.sort = "name"
        self.descending = False

    def show(self, ids: Sequence[str]) -> None:
        """Take what is to be shown, in this order."""
        self._ids = ids
        wide, high = self.outer_size
        tall = len(ids) + 1
        room = max(1, wide - (self.scrollbar_size_vertical if tall > high else 0))
        if self._fit.width != room:
            self._fit = rows.fit(room, self.NAME, self.WITHOUT)
            self._rows.clear()
        self.virtual_size = Size(room, tall)

    def on_resize(self) -> None:
        self.show(self._ids)
        self.sync()

    def sync(self) -> None:
        """Draw again what is in view, and repaint the rows that differ."""
        if not self.display:
            return
        before = self._drawn
        self._drawn = {y: self._line(y) for y in range(self.outer_size.height)}
        repaint(self, before, self._drawn)

    def reveal(self) -> None:
        """Scroll so that the selected one is in view."""
        if self._selection.current not in self._ids:
            return
        place = self._ids.index(self._selection.current)
        top, room = self.scroll_offset.y, self.outer_size.height - 1
        if place < top:
            self.scroll_to(y=place, animate=False)
        elif place >= top + room:
            self.scroll_to(y=place - room + 1, animate=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Repaint from what is drawn anew: the rows in view are others."""
        self._drawn.clear()
        super().watch_scroll_y(old_value, new_value)

    def columns(self) -> list[str]:
        """The keys of the columns that fit."""
        return [column.key for column, _ in self._fit.columns]

    def page(self) -> int:
        """How many rows a page has."""
        return max(1, self.outer_size.height - 2)

    def _line(self, y: int) -> Line:
        palette = palette_of(self)
        if y == 0:
            return rows.header(self._fit, self.sort, self.descending, palette)
        place = y - 1 + self.scroll_offset.y
        store = self._store
        if place >= len(self._ids) or self._ids[place] not in store.containers:
            return [Segment(" " * self._fit.width, palette.style("text"))]
        if self._made_of != (store.revision, palette.name):
            self._made_of = (store.revision, palette.name)
            self._rows.clear()
        id = self._ids[place]
        selection = self._selection
        gauge = selection.gauge if id == selection.current else None
        key = (id, id in selection.marked, gauge, id in selection.flashing)
        if (line := self._rows.get(key)) is None:
            trace = store.traces.get(id, rows.NOTHING)
            sign = store.signs.get(id, "")
            view = rows.RowView(store.containers[id], store.sample(id), trace, store.host, store.now, sign)
            line = self._rows[key] = self._draw(view, marked=key[1], gauge=gauge, flashing=key[3])
        return line

    def _draw(self, view: rows.RowView, *, marked: bool, gauge: Gauge | None, flashing: bool) -> Line:
        return rows.draw(view, self._fit, palette_of(self), marked=marked, gauge=gauge, flashing=flashing)

    def render_line(self, y: int) -> Strip:
        """One row of the view."""
        line = self._drawn.get(y)
        if line is None:
            line = self._drawn[y] = self._line(y)
        return Strip(line, self._fit.width)

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            if column := rows.column_at(self._fit, event.x):
                self.post_message(SortBy(column))
            return
        place = event.y - 1 + self.scroll_offset.y
        if place < len(self._ids):
            id = self._ids[place]
            self.post_message(Opened(id) if event.chain == 2 else Picked(id))
