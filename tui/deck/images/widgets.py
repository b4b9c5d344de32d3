"""The parts of the images view: three lists, and the drawn lines above them."""

from __future__ import annotations

import platform

from textual import events

from tui.deck.draw import columns
from tui.deck.draw.line import Line, Row, cut
from tui.deck.images.listing import COLUMNS, Entry
from tui.deck.messages import SortBy
from tui.deck.theme import palette_of
from tui.deck.widgets.drawn import DrawnLine
from tui.deck.widgets.lines import Lines
from tui.presentation.text import clip, harmless


class ImageList(Lines):
    """A row for each name of each image."""


class LayerList(Lines):
    """The layers of the selected image, lowest first."""


class FactList(Lines):
    """What is known of the selected image."""

    def __init__(self) -> None:
        super().__init__(cursor=False)


class Title(DrawnLine):
    """What there is altogether, and the kernel that all of it runs on."""

    def __init__(self) -> None:
        super().__init__("title")
        self._told = ""
        self._kernel = f"Linux {platform.release()} {platform.machine()}"

    def show(self, told: str) -> None:
        """Take what is to be shown."""
        self._told = told
        self.sync()

    def line(self) -> Line:
        """See DrawnLine."""
        palette, wide = palette_of(self), self.outer_size.width
        quiet = palette.style("muted", "surface")
        row = Row().add(" images ", palette.style("text", "surface", bold=True))
        row.add(clip(f" {harmless(self._told)}", wide - row.cells), quiet)
        if row.cells + len(self._kernel) + 3 <= wide:
            row.right(f"{self._kernel} ", wide, quiet)
        return cut(row.fill(wide, quiet).segments, wide)


class Header(DrawnLine):
    """The titles of the columns; a click sorts."""

    def __init__(self) -> None:
        super().__init__("header")
        self.fitted = columns.fit(COLUMNS, 80)
        self._sort, self._descending = "name", False

    def show(self, fitted: columns.Fitted[Entry], sort: str, descending: bool) -> None:
        """Take what is to be shown."""
        self.fitted, self._sort, self._descending = fitted, sort, descending
        self.sync()

    def line(self) -> Line:
        """See DrawnLine."""
        line = columns.header(self.fitted, self._sort, self._descending, palette_of(self))
        return (
            Row().join(line).fill(self.outer_size.width, palette_of(self).style("muted", "surface")).segments
        )

    def on_click(self, event: events.Click) -> None:
        if column := columns.at(self.fitted, event.x):
            self.post_message(SortBy(column))


class About(DrawnLine):
    """The line above what is known of the selected image: its name and the verdict."""

    def __init__(self) -> None:
        super().__init__("about")
        self._entry: Entry | None = None

    def show(self, entry: Entry | None) -> None:
        """Take what is to be shown."""
        self._entry = entry
        self.sync()

    def line(self) -> Line:
        """See DrawnLine."""
        palette, wide, entry = palette_of(self), self.outer_size.width, self._entry
        rule = palette.style("border")
        row = Row().add("── ", rule)
        if entry is not None:
            row.add(clip(harmless(entry.title), wide // 3), palette.style("text", bold=True)).add(" ", rule)
            layers = len(entry.image.layers)
            told = (
                f"{layers} layer{'s' if layers != 1 else ''}"
                if layers
                else "this machine's own root, read-only"
            )
            row.add(f"· {told} ", palette.style("muted"))
        return cut(row.fill(wide, rule, "─").segments, wide)
