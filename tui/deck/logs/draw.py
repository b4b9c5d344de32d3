"""One row of output: time, mark of the stream, text in the program's colours, what was searched for."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.deck.draw.line import Line as Segments
from tui.deck.logs.pattern import Pattern
from tui.deck.logs.reader import Row
from tui.deck.logs.records import moment
from tui.deck.logs.text import Run
from tui.deck.theme import Palette

TIME = 14  # cells
MARK = 2
STDERR = "▌ "


class Look(NamedTuple):
    """How rows are drawn."""

    palette: Palette
    times: bool
    left: int  # cells that are out of view to the left
    sought: Pattern | None
    found: int  # offset of the line that was searched for


def gutter(times: bool) -> int:
    """Cells before the text."""
    return MARK + (TIME if times else 0)


def row(
    row: Row, look: Look, cells: int, selected: tuple[int, int] | None, selection: Style, y: int
) -> Strip:
    """One row, `cells` wide; `selected` are characters of its text, the last -1 for all that follow."""
    palette = look.palette
    line = row.line
    if line.note:
        return Strip([Segment(f"┄ {row.text.plain}", palette.style("muted"))]).adjust_cell_length(
            cells, palette.style("text")
        )
    before: Segments = []
    if look.times:
        time = _time(line.stamp, datetime.now().toordinal()) if row.leads else ""
        before.append(Segment(time.ljust(TIME), palette.style("muted")))
    mark = STDERR if line.stderr else "› " if line.offset == look.found and row.leads else " " * MARK
    before.append(Segment(mark, palette.style("failed" if line.stderr else "selected", bold=True)))
    text = Strip(_text(row, look, selected, selection)).apply_offsets(0, y)
    room = max(0, cells - gutter(look.times))
    text = text.crop_extend(look.left, look.left + room, palette.style("text"))
    return Strip([*before, *text])


def _text(row: Row, look: Look, selected: tuple[int, int] | None, selection: Style) -> Segments:
    """The text cut wherever the style changes."""
    begin, end, palette = row.begin, row.end, look.palette
    layers = [run for run in row.text.runs if run.end > begin and run.begin < end]
    if look.sought is not None:
        ink = palette.style("background", "flash" if row.line.offset == look.found else "selected")
        layers += [Run(a, b, ink) for a, b in look.sought.spans(row.text.plain, begin, end)]
    if selected is not None:
        until = end if selected[1] < 0 else begin + selected[1]
        layers.append(Run(begin + selected[0], until, selection))
    base = palette.style("text")
    plain = row.text.plain
    if not layers:
        return [Segment(plain[begin:end], base)]
    places = {begin, end}
    for layer in layers:
        places.update((min(max(layer.begin, begin), end), min(max(layer.end, begin), end)))
    cuts = sorted(places)
    segments = []
    for a, b in pairwise(cuts):
        style = base
        for layer in layers:
            if layer.begin <= a and b <= layer.end:
                style += layer.style
        segments.append(Segment(plain[a:b], style))
    return segments or [Segment("", base)]


@lru_cache(maxsize=512)
def _time(stamp: bytes, today: int) -> str:
    """The time of day to the millisecond, or the day and the time to the minute; always 12 cells."""
    local = datetime.fromtimestamp(moment(stamp))
    if local.toordinal() == today:
        return f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"
    return f"{local:%d %b %H:%M}"
