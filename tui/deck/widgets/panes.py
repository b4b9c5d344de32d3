"""The panes view: one widget draws every pane, and repaints only the rows of panes that changed."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from engine.model import ContainerSummary
from tui.deck.draw import pane, stopped
from tui.deck.draw.line import Line
from tui.deck.messages import Opened, Picked
from tui.deck.selection import Gauge, Selection
from tui.deck.store import ALIVE, Store, Trace
from tui.deck.theme import palette_of
from tui.deck.widgets import layout
from tui.presentation.text import width as cell_width

NAMES = 24  # cells of names of stopped containers, at most
NOTHING = Trace()


class PaneGrid(ScrollView, can_focus=True, inherit_bindings=False):
    """All containers as panes; call `sync` after anything it shows has changed."""

    def __init__(self, store: Store, selection: Selection) -> None:
        super().__init__(id="panes")
        self._store = store
        self._selection = selection
        self._ids: Sequence[str] = ()
        self._arranged: object = None  # what the layout was made for
        self._layout_now = layout.NOTHING
        self._drawn: dict[str, list[Line]] = {}  # of those in view
        self._names = 0
        self.empty_text = ""

    # ── what is shown ───────────────────────────────────────────────────────────────────────────────────────

    def show(self, ids: Sequence[str]) -> list[str]:
        """Take what is to be shown; the order it is shown in: panes first, then those that do not run."""
        containers = self._store.containers
        running = [id for id in ids if containers[id].state.status in ALIVE]
        others = [id for id in ids if containers[id].state.status not in ALIVE]
        self._ids = [*running, *others]
        self._names = min(NAMES, max((cell_width(containers[id].name) for id in others), default=0))
        self._arrange(running, others)
        return list(self._ids)

    def _arrange(self, running: Sequence[str], others: Sequence[str]) -> None:
        wide, high = self.outer_size
        if self._arranged == (arranged := (running, others, wide, high)):
            return
        self._arranged = arranged
        new = layout.arrange(running, others, wide, high)
        if new.height > high:  # the scroll bar takes a column
            new = layout.arrange(running, others, wide - self.scrollbar_size_vertical, high)
        self._layout_now = new
        self.virtual_size = Size(max(0, wide - (new.height > high)), new.height)
        self._drawn.clear()
        self.refresh()

    def on_resize(self) -> None:
        containers = self._store.containers
        if all(id in containers for id in self._ids):
            self.show(self._ids)
        self.sync()

    def sync(self) -> None:
        """Draw again what is in view, and repaint the rows that differ."""
        if not self.display or not self._layout_now.boxes:
            if not self._layout_now.boxes:
                self.refresh()
            return
        top = self.scroll_offset.y
        view = Region(0, top, self.outer_size.width, self.outer_size.height)
        fresh: dict[str, list[Line]] = {}
        dirty: list[Region] = []
        for id, box in self._layout_now.boxes.items():
            if box.bottom <= top or box.y >= view.bottom or id not in self._store.containers:
                continue
            lines = fresh[id] = self._draw(self._store.containers[id], box)
            before = self._drawn.get(id)
            dirty += [
                Region(box.x, box.y + row - top, box.width, 1)
                for row, line in enumerate(lines)
                if before is None or line != before[row]
            ]
        self._drawn = fresh
        if dirty:
            self.refresh(*dirty)

    def reveal(self) -> None:
        """Scroll so that the selected one is in view."""
        box = self._layout_now.boxes.get(self._selection.current)
        if box is None:
            return
        top, high = self.scroll_offset.y, self.outer_size.height
        if box.y < top:
            self.scroll_to(y=box.y, animate=False)
        elif box.bottom > top + high:
            self.scroll_to(y=box.bottom - high, animate=False)

    def neighbour(self, down: bool) -> str:
        """The container drawn below, or above, the selected one."""
        return layout.beside(self._layout_now.boxes, self._selection.current, down)

    def with_tails(self) -> list[str]:
        """Panes in view that have room for output."""
        containers = self._store.containers
        return [
            id
            for id in self._drawn
            if id in containers and self._layout_now.boxes[id].height > pane.LEAST_HEIGHT
        ]

    def _draw(self, container: ContainerSummary, box: Region) -> list[Line]:
        store, selection, palette = self._store, self._selection, palette_of(self)
        selected, marked = container.id == selection.current, container.id in selection.marked
        doing = store.busy.get(container.id, "")
        if box.height == 1:
            line = stopped.draw(
                container, self._names, box.width, palette, selected=selected, marked=marked, doing=doing
            )
            return [line]
        view = pane.PaneView(
            container,
            store.sample(container.id),
            store.traces.get(container.id, NOTHING),
            store.host,
            store.now,
            store.tails.get(container.id, []),
            selected,
            marked,
            selection.gauge if selected else None,
            doing,
            container.id in selection.flashing,
            store.signs.get(container.id, ""),
        )
        return pane.draw(view, box.width, box.height, palette)

    def render_line(self, y: int) -> Strip:
        """One row of the view."""
        palette = palette_of(self)
        wide = self.outer_size.width
        blank = palette.style("muted")
        if not self._layout_now.boxes:
            lines = textwrap.wrap(self.empty_text, max(10, min(wide - 4, 76)))
            place = y - (self.outer_size.height - len(lines)) // 2
            text = lines[place] if 0 <= place < len(lines) else ""
            return Strip([Segment(text.center(wide), blank)], wide)
        row = y + self.scroll_offset.y
        line: Line = []
        used = 0
        for id in self._layout_now.rows[row] if row < self._layout_now.height else ():
            if id not in self._store.containers:
                continue
            box = self._layout_now.boxes[id]
            if id not in self._drawn:
                self._drawn[id] = self._draw(self._store.containers[id], box)
            line += self._drawn[id][row - box.y]
            used = box.right
        if used < wide:
            line.append(Segment(" " * (wide - used), blank))
        return Strip(line, wide)

    # ── the mouse ───────────────────────────────────────────────────────────────────────────────────────────

    def on_click(self, event: events.Click) -> None:
        x, y = event.x, event.y + self.scroll_offset.y
        for id, box in self._layout_now.boxes.items():
            if box.contains(x, y):
                gauge = gauge_at(x - box.x, y - box.y, box.width) if box.height > 1 else None
                self.post_message(Opened(id) if event.chain == 2 else Picked(id, gauge))
                return


def gauge_at(x: int, y: int, wide: int) -> Gauge | None:
    """Which gauge is drawn at a place of a pane."""
    match y:
        case 1 | 2:
            return "cpu"
        case 3:
            return "memory"
        case 4:
            return "io" if x < wide // 2 else None
        case 5:
            return "pids" if x >= wide // 2 else None
    return None
