"""The host tree as a table: the containers' columns, with lines that lead to each name."""

from __future__ import annotations

from rich.segment import Segment

from tui.deck.draw import rows
from tui.deck.draw.line import Line
from tui.deck.groups.store import TreeStore
from tui.deck.selection import Gauge, Selection
from tui.deck.theme import Ink, palette_of
from tui.deck.widgets.table import ContainerTable
from tui.presentation.groups import KIND_GLYPHS
from tui.presentation.text import clip

NAME_AT = 3  # the segment of the name in a drawn row, after cursor, mark and glyph


class GroupTable(ContainerTable):
    """All cgroups that are not folded away."""

    NAME = (28, 56)
    WITHOUT = ("up",)

    def __init__(self, store: TreeStore, selection: Selection) -> None:
        super().__init__(store, selection)
        self._tree = store

    def _draw(self, view: rows.RowView, *, marked: bool, gauge: Gauge | None, flashing: bool) -> Line:
        line = super()._draw(view, marked=marked, gauge=gauge, flashing=flashing)
        branch = self._tree.branches.get(view.container.id)
        if branch is None or len(line) <= NAME_AT:
            return line
        palette, group = palette_of(self), branch.group
        ground: Ink = "selection" if gauge is not None else "background"
        if not group.frozen:
            tone: Ink = "running" if group.kind == "container" else "muted"
            line[NAME_AT - 1] = Segment(f"{KIND_GLYPHS[group.kind]} ", palette.style(tone, ground))
        name = line[NAME_AT].text
        guides = clip(branch.guides, len(name)) if branch.guides else ""
        plain: Ink = "text" if group.processes else "muted"
        bold = gauge is not None or group.kind == "container"
        line[NAME_AT : NAME_AT + 1] = [
            Segment(guides, palette.style("border", ground)),
            Segment(name[len(guides) :], palette.style(plain, ground, bold=bold)),
        ]
        return line
