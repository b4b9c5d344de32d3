"""The host strip: the machine in one row, with what tiffin itself costs."""

from __future__ import annotations

from engine.model import HostSample
from tui.deck.draw.bars import bar, near
from tui.deck.draw.line import Line, Row, cut
from tui.deck.draw.pane import STALLED
from tui.deck.theme import Ink, Palette
from tui.presentation.quantities import ABSENT, share, size

GROUND: Ink = "surface"
LEAST_BAR, MOST_BAR = 6, 28


def draw(host: HostSample | None, name: str, wide: int, palette: Palette) -> Line:
    """The row in `wide` cells; what matters least is left out until bars of a legible size fit.

    None: there are no figures yet.
    """
    if host is None:
        return _title(name, palette).fill(wide, palette.style("muted", GROUND)).segments
    room = {detail: wide - _assemble(host, name, 0, detail, palette).cells for detail in (2, 1, 0, -1)}
    detail = next((detail for detail in room if room[detail] >= 2 * LEAST_BAR), -1)
    bars = max(0, min(MOST_BAR, room[detail] // 2))
    return cut(_assemble(host, name, bars, detail, palette, wide).segments, wide)


def _title(name: str, palette: Palette) -> Row:
    row = Row().add(" tiffin ", palette.style("selected", GROUND, bold=True))
    if name:
        row.add(f" {name}", palette.style("text", GROUND))
    return row


def _assemble(host: HostSample, name: str, bars: int, detail: int, palette: Palette, wide: int = 0) -> Row:
    quiet, plain = palette.style("muted", GROUND), palette.style("text", GROUND, bold=True)
    row = _title(name if detail >= 2 else "", palette)

    part = None if host.cpu is None else host.cpu / host.cores
    row.add(" CPU ", quiet).join(bar(part, bars, near(part, True), palette))
    cpu = ABSENT if host.cpu is None else f"{host.cpu:.2f}"
    row.add(f" {cpu:>{len(str(host.cores)) + 3}}", plain).add(f"/{host.cores}", quiet)
    _stall(row, host.cpu_some, detail, palette)

    total = host.memory_total or 1
    used = None if host.memory is None else host.memory / total
    row.add("  MEM ", quiet).join(bar(used, bars, near(used, True), palette, (host.cache or 0) / total))
    row.add(f" {size(host.memory):>4}", plain)
    row.add((f"+{size(host.cache):<4}" if detail >= 1 else "") + f"/{size(host.memory_total)}", quiet)
    if detail >= 2:
        _stall(row, host.memory_some, detail, palette)

    if detail >= 1:
        row.add("  IO r", quiet).add(f" {size(host.io_read):>4}", plain)
        row.add(" w", quiet).add(f" {size(host.io_write):>4}", plain)
        if detail >= 2:
            _stall(row, host.io_some, detail, palette)
    elif detail == 0:
        flow = None if host.io_read is None or host.io_write is None else host.io_read + host.io_write
        row.add("  IO", quiet).add(f" {size(flow):>4}", plain)

    own = Row().add(" self ", quiet).add(f"{share(host.self_cpu, 1):>5}", palette.style("text", GROUND))
    if detail >= 2:
        own.add(f" {size(host.self_memory):>4}", palette.style("text", GROUND))
    own.add(" ", quiet)
    row.fill(wide - own.cells, quiet)
    return row.join(own.segments)


def _stall(row: Row, stall: float | None, detail: int, palette: Palette) -> None:
    quiet = palette.style("muted", GROUND)
    ink: Ink = "stalled" if stall is not None and stall >= STALLED else "muted"
    row.add(" stall" if detail >= 2 else " ▽", quiet if ink == "muted" else palette.style(ink, GROUND))
    row.add(f" {share(stall):>4}" if detail >= 2 else f"{share(stall):>4}", palette.style(ink, GROUND))
