"""One measure over time as columns of blocks, an eighth of a cell fine, with its number and its scale."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.segment import Segment

from tui.deck.draw.bars import CACHE, GAP
from tui.deck.draw.line import Line, Row, cut
from tui.deck.past import Series
from tui.deck.theme import Ink, Palette
from tui.presentation.text import pad

LABEL, SCALE = 18, 6  # cells left and right of the columns
RISING = " ▁▂▃▄▅▆▇█"


class Chart(msgspec.Struct, frozen=True):
    """What one chart shows; the columns' full height is `scale`."""

    label: str
    number: str  # the newest value, as it is read
    points: Series
    scale: float
    top: str = ""  # the scale, as it is read
    ink: Ink = "used"
    beyond: Series = []  # hatched on top of the columns
    tall: bool = False  # takes more than one row where there is room
    tone: Ink = "text"  # of the number


def levels(points: Series, now: float, seconds: float, width: int, gap: float = GAP) -> list[float | None]:
    """The mean of each of `width` slices of time, newest last; None where nothing was measured for `gap` seconds.

    A slice is a fixed part of time, so that what is drawn once moves on and does not change.
    """
    if width <= 0:
        return []
    slice = seconds / width
    newest = int(now / slice)
    sums = [0.0] * width
    counts = [0] * width
    before, begin = 0.0, 0
    for at, value in points:
        place = int(at / slice) - newest + width - 1
        if at - before > gap:
            begin = place
        if value is not None:  # a sample is of all the time since the one before it
            for covered in range(max(0, min(begin, place)), min(place, width - 1) + 1):
                sums[covered] += value
                counts[covered] += 1
        before, begin = at, place + 1
    return [total / count if count else None for total, count in zip(sums, counts, strict=True)]


def draw(
    chart: Chart, now: float, seconds: float, wide: int, high: int, palette: Palette, ground: Ink
) -> list[Line]:
    """The chart in `high` rows of exactly `wide` cells."""
    inner = max(1, wide - LABEL - SCALE)
    means = levels(chart.points, now, seconds, inner)
    beyond = levels(chart.beyond, now, seconds, inner) if chart.beyond else [None] * inner
    rows = []
    for row in range(high):
        line = Row()
        _label(line, chart, row, high, palette, ground)
        line.join(_columns(means, beyond, chart, high - 1 - row, high, palette, ground))
        top = chart.top if row == 0 else "0" if row == high - 1 else ""
        line.add(pad(f" {top}", SCALE), palette.style("muted", ground))
        rows.append(cut(line.segments, wide))
    return rows


def _label(line: Row, chart: Chart, row: int, high: int, palette: Palette, ground: Ink) -> None:
    label, number = palette.style("muted", ground), palette.style(chart.tone, ground, bold=True)
    if high == 1:
        name = chart.label + " "
        line.add(name, label).add(pad(chart.number, LABEL - len(name) - 1, True) + " ", number)
    elif row == 0:
        line.add(pad(chart.label, LABEL), label)
    else:
        line.add(pad(chart.number if row == 1 else "", LABEL), number)


def _columns(
    means: Sequence[float | None],
    beyond: Sequence[float | None],
    chart: Chart,
    above: int,
    high: int,
    palette: Palette,
    ground: Ink,
) -> Line:
    """One row of the columns, `above` rows over the lowest."""
    solid, hatched = palette.style(chart.ink, ground), palette.style("cache", ground)
    quiet = palette.style("border", ground)
    line: Line = []
    text, style = "", solid
    for value, more in zip(means, beyond, strict=True):
        character, ink = " ", quiet
        if value is not None:
            reach = _eighths(value, chart.scale, high) - above * 8
            if reach > 0:
                character, ink = RISING[min(8, reach)], solid
            elif more is not None and _eighths(value + more, chart.scale, high) - above * 8 >= 4:
                character, ink = CACHE, hatched
            elif above == 0:
                character, ink = RISING[1], quiet
        if ink is not style and text:
            line.append(Segment(text, style))
            text = ""
        style = ink
        text += character
    return [*line, Segment(text, style)] if text else line


def _eighths(value: float, scale: float, high: int) -> int:
    if value <= 0 or scale <= 0:
        return 0
    return max(1, round(min(1.0, value / scale) * high * 8))


def axis(seconds: float, wide: int, palette: Palette, ground: Ink) -> Line:
    """The row below charts that says how long ago a column was."""
    inner = max(1, wide - LABEL - SCALE)
    style = palette.style("muted", ground)
    minutes = seconds / 60
    begin = f"{minutes:.0f} min ago" if minutes > 1 else "1 min ago"
    row = Row().fill(LABEL, style).add(pad(begin, inner - 3), style).add("now", style)
    return cut(row.fill(wide, style).segments, wide)


def nice(value: float, least: float, base: int = 10) -> float:
    """A round number not below `value`: the scale of a chart that has no limit.

    With `base` 1024 it is round in bytes.
    """
    scale = least
    while scale < value:
        for step in (2, 5, 10) if base == 10 else (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024):
            if scale * step >= value:
                return scale * step
        scale *= base
    return scale
