"""The widget that shows one changed path: what differs beside the text, then line against line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.strip import Strip

from tui.deck.changes.compare import Pair, Side, counts, differences, unified, without_same
from tui.deck.changes.texts import Compared
from tui.deck.draw.line import Line, Row, cut
from tui.deck.theme import Ink, Palette, palette_of
from tui.deck.widgets.lines import Lines
from tui.presentation.text import pad, width

BESIDE = 90  # cells from which both texts are side by side
NUMBER = 5  # cells
ASIDE = 8  # cells that one key moves a long line

SIGNS: dict[str, tuple[str, Ink]] = {
    "same": (" ", "text"), "removed": ("−", "failed"), "added": ("+", "running"),
}  # fmt: skip


class Comparison(Lines):
    """Side by side where there is room, else in one column; only what differs, or all of it."""

    BINDINGS = [
        Binding("n", "difference(1)", "next difference", id="compare.next"),
        Binding("N", "difference(-1)", "difference before", id="compare.previous", show=False),
        Binding("w", "whole", "whole text", id="compare.whole"),
        Binding("right", "aside(1)", "right", id="compare.right", show=False),
        Binding("left", "aside(-1)", "left", id="compare.left", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(cursor=False)
        self._compared: Compared | None = None
        self._whole = False
        self._aside = 0
        self._rows: Sequence[Pair | str] = ()

    @property
    def compared(self) -> Compared | None:
        """What is shown."""
        return self._compared

    @property
    def beside(self) -> bool:
        """Whether the texts are side by side."""
        return self.room >= BESIDE and self._compared is not None and self._compared.both

    def tell(self, sentence: str) -> None:
        """Show a sentence instead of a comparison."""
        self._compared = None
        self._rows = [sentence] if sentence else []
        self.show(self._rows, self._line)

    def compare(self, compared: Compared) -> None:
        """Take what is to be shown, from its beginning."""
        self._compared, self._aside = compared, 0
        self._lay_out()
        self.scroll_to(0, 0, animate=False)

    def _lay_out(self) -> None:
        if self._compared is None:
            return
        pairs: Sequence[Pair] = self._compared.pairs
        if not self._whole:
            pairs = without_same(pairs)
        if not self.beside:
            pairs = unified(pairs)
        self._rows = [*self._compared.notes, *pairs]
        self.show(self._rows, self._line)

    def on_resize(self) -> None:
        self._lay_out()

    def title(self) -> str:
        """How much differs, in a few words."""
        if self._compared is None or not self._compared.pairs:
            return ""
        removed, added = counts(self._compared.pairs)
        return f"−{removed} +{added} lines" if removed or added else "the same text"

    def action_whole(self) -> None:
        self._whole = not self._whole
        self._lay_out()

    def action_aside(self, by: int) -> None:
        self._aside = max(0, self._aside + by * ASIDE)
        self.refresh()

    def action_difference(self, by: int) -> None:
        begin = len(self._rows) - len([row for row in self._rows if isinstance(row, Pair)])
        places = [
            begin + place for place in differences([row for row in self._rows if isinstance(row, Pair)])
        ]
        here = self.scroll_offset.y
        after = (
            [place for place in places if place > here] if by > 0 else [p for p in places[::-1] if p < here]
        )
        if after:
            self.scroll_to(y=after[0], animate=False)

    def _line(self, row: Pair | str, current: bool) -> Line:
        wide, palette = self.room, palette_of(self)
        if isinstance(row, str):
            return cut(Row().add(f" {row}", palette.style("muted")).segments, wide)
        if row.kind == "left out":
            told = f" ⋯ {row.count} same line{'s' if row.count != 1 else ''} "
            return Row().add(told, palette.style("border")).fill(wide, palette.style("border"), "·").segments
        if not self.beside:
            sign, ink = SIGNS[row.kind]
            return _side(row.left or row.right, sign, ink, wide, self._aside, palette)
        half = (wide - 1) // 2
        left, right = ("−", "+") if row.kind == "changed" else (SIGNS[row.kind][0],) * 2
        same = row.kind == "same"
        line = _side(row.left, left, "text" if same else "failed", half, self._aside, palette)
        line = [*line, Segment("│", palette.style("border"))]
        return line + _side(
            row.right, right, "text" if same else "running", wide - half - 1, self._aside, palette
        )


def _side(side: Side | None, sign: str, ink: Ink, wide: int, aside: int, palette: Palette) -> Line:
    """A line of one text in `wide` cells; what differs within it is reversed."""
    if side is None:
        return [Segment(" " * wide, palette.style("muted", "surface"))]
    ground: Ink = "background" if ink == "text" else "surface"
    row = Row().add(pad(str(side.number), NUMBER, True), palette.style("muted", ground))
    row.add(f" {sign} ", palette.style(ink, ground, bold=True))
    plain, marked = palette.style(ink, ground), palette.style(ink, ground, bold=True, reverse=True)
    for text, style in _pieces(side, aside, plain, marked):
        row.add(text, style)
    if row.cells > wide:
        line = Strip(row.segments).crop(0, wide - 1)
        return [*line, Segment("›", palette.style("muted", ground))]
    return row.fill(wide, plain).segments


def _pieces(side: Side, aside: int, plain: Style, marked: Style) -> list[tuple[str, Style]]:
    edges = sorted({0, len(side.text), *(edge for span in side.spans for edge in span)})
    pieces = [
        (side.text[a:b], marked if any(s <= a < e for s, e in side.spans) else plain)
        for a, b in pairwise(edges)
    ]
    skipped: list[tuple[str, Style]] = []
    for text, style in pieces:
        while aside and text:
            aside -= min(aside, max(1, width(text[0])))
            text = text[1:]
        skipped.append((text, style))
    return skipped
