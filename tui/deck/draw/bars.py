"""Bars and history lines out of block characters, an eighth of a cell fine."""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment

from tui.deck.draw.line import Line
from tui.deck.store import MINUTE, Point
from tui.deck.theme import Ink, Palette

LEFT = " ▏▎▍▌▋▊▉█"
RISING = "▁▂▃▄▅▆▇"  # never a full cell: it would melt into the bar above
CACHE = "▒"
TURNED = "┊"
GAP = 2.5  # seconds between two samples from which there is a hole in the line
NEAR = 0.95
"""From this share of its limit on, a gauge is amber."""


def bar(share: float | None, width: int, ink: Ink, palette: Palette, beyond: float = 0.0) -> Line:
    """A bar of `width` cells: `share` (0 to 1) solid, and hatched behind it the share `beyond`."""
    if share is None:
        return [Segment("╌" * width, palette.style("muted"))]
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    if share > 0 and not eighths:
        eighths = 1
    full, part = divmod(eighths, 8)
    used = full + (1 if part else 0)
    hatched = min(width - used, round(max(0.0, beyond) * width))
    line = [Segment("█" * full, palette.style(ink, "track"))] if full else []
    if part:
        line.append(Segment(LEFT[part], palette.style(ink, "track")))
    if hatched:
        line.append(Segment(CACHE * hatched, palette.style("cache", "track")))
    if rest := width - used - hatched:
        line.append(Segment(palette.empty * rest, palette.style("border", "track")))
    return line


def near(share: float | None, limited: bool, ink: Ink = "used") -> Ink:
    """The colour of a gauge: amber near its limit."""
    return "warn" if limited and share is not None and share >= NEAR else ink


def history(
    points: Iterable[Point],
    turned: Iterable[float],
    now: float,
    width: int,
    scale: float,
    palette: Palette,
    ground: Ink = "background",
) -> Line:
    """One minute in `width` cells, newest right: height is CPU on a `scale` of cores, glow is stall.

    A cell is a fixed slice of time, so that what is drawn once moves on and does not change.
    """
    slice = MINUTE / width
    newest = int(now / slice)
    sums: dict[int, tuple[float, float, int]] = {}
    before, begin = 0.0, 0
    for point in points:
        place = int(point.at / slice) - newest + width - 1
        if point.at - before > GAP:
            begin = place
        if point.cpu is not None:  # a sample is of all the time since the one before it
            for covered in range(max(0, min(begin, place)), place + 1):
                cpu, stall, count = sums.get(covered, (0.0, 0.0, 0))
                sums[covered] = (cpu + point.cpu, stall + (point.stall or 0.0), count + 1)
        before, begin = point.at, place + 1
    ticks = {int(at / slice) - newest + width - 1 for at in turned}
    line: Line = []
    text, style = "", None
    for place in range(width):
        if place in ticks:
            character, ink = TURNED, palette.style("flash", ground)
        elif place in sums:
            cpu, stall, count = sums[place]
            level = round(max(0.0, min(1.0, cpu / count / scale)) * 6) if scale else 0
            character, ink = RISING[level], palette.past(stall / count, ground)
        else:
            character, ink = " ", palette.style("muted", ground)
        if ink is not style and text:
            line.append(Segment(text, style))
            text = ""
        style = ink
        text += character
    if text:
        line.append(Segment(text, style))
    return line
