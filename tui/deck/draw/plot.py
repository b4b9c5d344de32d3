"""Several lines in one picture, told apart by their colour and by the sign each has; marks on the time axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from tui.deck.draw.line import Line, Row, cut
from tui.deck.theme import Ink, Palette
from tui.presentation.text import clip, pad
from tui.presentation.times import clock

SIGNS = "●◆▲■○◇△□"
INKS: tuple[Ink, ...] = ("selected", "running", "warn", "stalled", "flash", "used", "waiting", "text")
SCALE = 8  # cells left of the plot
EVERY = 24  # cells from sign to sign on a line
MARK = "┊"

Cells = dict[tuple[int, int], tuple[str, Ink]]


class Curve(msgspec.Struct, frozen=True):
    """One line: a level for each column, None where nothing was measured."""

    levels: Sequence[float | None]
    sign: str
    ink: Ink


class Mark(msgspec.Struct, frozen=True):
    """Something that happened, on the axis."""

    at: float
    sign: str
    ink: Ink


class Plot(msgspec.Struct, frozen=True):
    """What is to be drawn; the curves have a level for each column of `width`."""

    curves: Sequence[Curve]
    begin: float
    end: float
    scale: float  # of the topmost row
    read: Callable[[float | None], str]
    marks: Sequence[Mark] = ()
    cursor: float | None = None
    now: bool = True  # its right end is the latest moment


def width(wide: int) -> int:
    """How many columns a plot in so many cells has."""
    return max(1, wide - SCALE - 1)


def column(plot: Plot, at: float, wide: int) -> int:
    """Where a moment is; -1 outside."""
    part = (at - plot.begin) / max(plot.end - plot.begin, 1e-9)
    return min(wide - 1, int(part * wide)) if 0 <= part <= 1 else -1


def draw(plot: Plot, wide: int, high: int, palette: Palette, ground: Ink = "background") -> list[Line]:
    """The picture in `high` rows of exactly `wide` cells, the time axis in the last two of them."""
    inner, rows = width(wide), max(2, high - 2)
    cells: Cells = {}
    for mark in plot.marks:
        if (place := column(plot, mark.at, inner)) >= 0:
            cells |= {(row, place): (MARK, "border") for row in range(rows)}
    for number, curve in enumerate(plot.curves):
        cells |= _curve(curve, number * EVERY // max(1, len(plot.curves)), plot.scale, rows, inner)
    cursor = -1 if plot.cursor is None else column(plot, plot.cursor, inner)
    quiet = palette.style("muted", ground)
    lines: list[Line] = []
    for row in range(rows):
        share = 1 - row / (rows - 1)
        label = plot.read(plot.scale * share) if row in (0, (rows - 1) // 2, rows - 1) else ""
        line = Row().add(pad(label, SCALE - 1, right=True) + (" ┤" if label else " │"), quiet)
        lines.append(_row(line, cells, row, cursor, inner, palette, ground))
    return [*lines, _axis(plot, cursor, inner, palette, ground), _times(plot, wide, palette, ground)][:high]


def _row(line: Row, cells: Cells, row: int, cursor: int, inner: int, palette: Palette, ground: Ink) -> Line:
    blank = palette.style("muted", ground)
    text, style = "", blank
    for place in range(inner):
        character, ink = cells.get((row, place), (" ", "muted"))
        now = palette.style(ink, ground)
        if place == cursor:
            now = palette.style(ink, "selection")
            character = "│" if character in (" ", MARK) else character
        if now is not style and text:
            line.add(text, style)
            text = ""
        style, text = now, text + character
    return line.add(text, style).segments


def _curve(curve: Curve, first: int, scale: float, rows: int, inner: int) -> Cells:
    """A line of box-drawing characters with its sign every so often, and at its last point."""
    cells: Cells = {}
    before: int | None = None
    last = -1
    for place, level in enumerate(curve.levels[:inner]):
        if level is None:
            before = None
            continue
        share = min(1.0, max(0.0, level / scale)) if scale else 0.0
        here = (rows - 1) - round(share * (rows - 1))
        if before is None or before == here:
            cells[here, place] = ("─", curve.ink)
        else:
            down = here > before
            cells[before, place] = ("╮" if down else "╯", curve.ink)
            cells[here, place] = ("╰" if down else "╭", curve.ink)
            for between in range(min(before, here) + 1, max(before, here)):
                cells[between, place] = ("│", curve.ink)
        if (place + first) % EVERY == EVERY // 2:
            cells[here, place] = (curve.sign, curve.ink)
        before, last = here, place
    if before is not None and last >= 0:
        cells[before, last] = (curve.sign, curve.ink)
    return cells


def _axis(plot: Plot, cursor: int, inner: int, palette: Palette, ground: Ink) -> Line:
    quiet = palette.style("muted", ground)
    signs = {column(plot, mark.at, inner): mark for mark in plot.marks}
    row = Row().add(" " * SCALE + "└", quiet)
    for place in range(inner):
        if (mark := signs.get(place)) is not None:
            row.add(mark.sign, palette.style(mark.ink, ground, bold=True))
        else:
            row.add("┴" if place == cursor else "─", quiet)
    return row.segments


def _times(plot: Plot, wide: int, palette: Palette, ground: Ink) -> Line:
    """The time of the ends and the middle, and of the cursor."""
    quiet, bright = palette.style("muted", ground), palette.style("selected", ground, bold=True)
    inner = width(wide)
    places: list[tuple[int, str, bool]] = [(SCALE + 1, clock(plot.begin), False)]
    last = "now" if plot.now else clock(plot.end)
    places.append((wide - len(last), last, False))
    if inner > 50:
        places.append((SCALE + 1 + inner // 2 - 4, clock((plot.begin + plot.end) / 2), False))
    if plot.cursor is not None and (at := column(plot, plot.cursor, inner)) >= 0:
        text = clock(plot.cursor)
        place = min(max(SCALE + 1, SCALE + at - 3), wide - len(text))
        places = [p for p in places if p[0] + len(p[1]) < place or p[0] > place + len(text)]
        places.append((place, text, True))
    row = Row()
    for place, text, own in sorted(places):
        row.fill(place, quiet).add(clip(text, max(0, wide - row.cells)), bright if own else quiet)
    return cut(row.fill(wide, quiet).segments, wide)
