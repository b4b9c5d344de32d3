"""The table: its columns, which of them fit, and one container as a row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec

from engine.model import ContainerSummary, HostSample, Sample
from tui.deck.draw.bars import NEAR, history
from tui.deck.draw.line import Line, Row, cut
from tui.deck.draw.pane import STALLED, cpu_scale
from tui.deck.selection import Gauge
from tui.deck.store import ALIVE, Trace
from tui.deck.theme import Ink, Palette
from tui.presentation.quantities import ABSENT, cores, cores_limit, count, of_limit, share, size, size_limit
from tui.presentation.states import SUSPECT, VICTIM, look, why
from tui.presentation.text import clip, harmless, pad
from tui.presentation.text import width as cell_width
from tui.presentation.times import clock, duration

SIGNS = 4  # cells before the first column: cursor, mark, glyph
LEAST_NAME, MOST_NAME = 12, 32
NOTHING = Trace()
INFINITE = float("inf")


class RowView(msgspec.Struct, frozen=True):
    """Everything one row shows."""

    container: ContainerSummary
    sample: Sample
    trace: Trace
    host: HostSample
    now: float
    sign: str = ""  # victim or suspect


Cell = tuple[str, Ink]


class Column(msgspec.Struct, frozen=True):
    """One column. `rank` decides which give way where there is little room: the highest first."""

    key: str
    title: str
    width: int
    rank: int
    cell: Callable[[RowView], Cell]
    value: Callable[[RowView], Any]
    right: bool = True


def _number(value: float | None) -> float:
    return -1.0 if value is None else value


def _by(field: str) -> Callable[[RowView], float]:
    return lambda view: _number(getattr(view.sample, field))


def _measured(
    write: Callable[[float | None], str], field: str, ink: Ink = "text"
) -> Callable[[RowView], Cell]:
    return lambda view: (write(getattr(view.sample, field)), ink)


def _name(view: RowView) -> Cell:
    return harmless(view.container.name), "text"


def _image(view: RowView) -> Cell:
    return harmless(view.container.image), "muted"


def _cpus(view: RowView) -> Cell:
    limit = view.container.limits.cpus
    told = cores_limit(limit)
    return told if len(told) <= 4 else cores(limit), "muted"


def _memory_limit(view: RowView) -> Cell:
    return size_limit(view.container.limits.memory), "muted"


def _up(view: RowView) -> Cell:
    return duration(view.now - view.container.state.started_at, 1), "text"


def _of(view: RowView) -> Cell:
    limit, used = view.container.limits.cpus, view.sample.cpu
    near = limit is not None and used is not None and used / limit >= NEAR
    return of_limit(used, limit), "warn" if near else "muted"


def _stall(view: RowView) -> Cell:
    stall = view.sample.cpu_stall
    return share(stall), "stalled" if _number(stall) >= STALLED else "muted"


def _throttled(view: RowView) -> Cell:
    part = view.sample.throttled
    return share(part), "warn" if _number(part) >= STALLED else "muted"


def _memory(view: RowView) -> Cell:
    limit, used = view.container.limits.memory, view.sample.memory
    near = limit is not None and used is not None and used / limit >= NEAR
    return size(used), "warn" if near else "text"


COLUMNS: tuple[Column, ...] = (
    Column("name", "NAME", LEAST_NAME, 0, _name, lambda v: v.container.name, False),
    Column("image", "IMAGE", 16, 9, _image, lambda v: v.container.image, False),
    Column("cpu", "CPU", 4, 0, _measured(cores, "cpu"), _by("cpu")),
    Column("of", "of", 4, 5, _of, lambda v: _number(v.sample.cpu) / (v.container.limits.cpus or INFINITE)),
    Column("cpus", "lim", 4, 2, _cpus, lambda v: v.container.limits.cpus or INFINITE),
    Column("throttled", "thr", 4, 8, _throttled, _by("throttled")),
    Column("stall", "stall", 5, 1, _stall, _by("cpu_stall")),
    Column("memory_stall", "mem ▽", 5, 9, _measured(share, "memory_some", "muted"), _by("memory_some")),
    Column("io_stall", "IO ▽", 5, 9, _measured(share, "io_some", "muted"), _by("io_some")),
    Column("minute", "1 min", 12, 7, lambda v: ("", "text"), _by("cpu"), False),
    Column("memory", "MEM", 4, 0, _memory, _by("memory")),
    Column("cache", "+cache", 6, 6, _measured(size, "cache", "muted"), _by("cache")),
    Column("limit", "lim", 4, 1, _memory_limit, lambda v: v.container.limits.memory or INFINITE),
    Column("read", "IO r/s", 6, 3, _measured(size, "io_read"), _by("io_read")),
    Column("write", "w/s", 4, 3, _measured(size, "io_write"), _by("io_write")),
    Column("rx", "NET ↓/s", 7, 4, _measured(size, "net_rx"), _by("net_rx")),
    Column("tx", "↑/s", 4, 4, _measured(size, "net_tx"), _by("net_tx")),
    Column("pids", "PIDS", 4, 4, _measured(count, "pids"), _by("pids")),
    Column("up", "UP", 4, 2, _up, lambda v: -v.container.state.started_at),
)
TURNED: dict[Gauge, str] = {"cpu": "cpus", "memory": "limit", "io": "write", "pids": "pids"}
"""The column that shows what + and − turn."""
BY_KEY = {column.key: column for column in COLUMNS}


class Fit(msgspec.Struct, frozen=True):
    """The columns that fit a width, each with the cells it gets."""

    columns: list[tuple[Column, int]]
    width: int


def fit(width: int, name: tuple[int, int] = (LEAST_NAME, MOST_NAME), without: Collection[str] = ()) -> Fit:
    """As many columns as there is room for; the name takes what is left, within these cells."""
    least, most = name
    columns = [
        msgspec.structs.replace(column, width=least) if column.key == "name" else column
        for column in COLUMNS
        if column.key not in without
    ]
    shown = list(columns)
    while len(shown) > 1 and _needed(shown) > width:
        worst = max(column.rank for column in shown)
        if worst == 0:
            break
        shown = [column for column in shown if column.rank != worst]
    spare = max(0, width - _needed(shown))
    for rank in range(1, 10):  # one that gave way with others of its rank may still fit alone
        for column in columns:
            if column.rank == rank and column not in shown and column.width + 1 <= spare:
                shown.append(column)
                spare -= column.width + 1
    shown.sort(key=columns.index)
    grown = min(spare, most - least)
    rest = spare - grown
    extra = {"name": grown, "minute": min(rest, 18)}
    return Fit([(column, column.width + extra.get(column.key, 0)) for column in shown], width)


def _needed(columns: Sequence[Column]) -> int:
    return SIGNS + sum(column.width + 1 for column in columns)


def header(fit: Fit, sort: str, descending: bool, palette: Palette) -> Line:
    """The row of titles; the sorted column's is bright and has an arrow."""
    row = Row().add(" " * SIGNS, palette.style("muted", "surface"))
    for column, width in fit.columns:
        sorted_by = column.key == sort
        style = palette.style("selected" if sorted_by else "muted", "surface", bold=sorted_by)
        title = column.title
        if sorted_by:
            arrow = "▼" if descending else "▲"
            title = f"{column.title} {arrow}" if len(title) + 2 <= width else f"{title[: width - 1]}{arrow}"
        row.add(pad(title, width, column.right) + " ", style)
    return cut(row.fill(fit.width, palette.style("muted", "surface")).segments, fit.width)


def column_at(fit: Fit, x: int) -> str:
    """The key of the column drawn at a cell of the header; empty beside them."""
    edge = SIGNS
    for column, width in fit.columns:
        if edge <= x <= edge + width:
            return column.key
        edge += width + 1
    return ""


def draw(
    view: RowView, fit: Fit, palette: Palette, *, marked: bool, gauge: Gauge | None, flashing: bool
) -> Line:
    """One container in exactly the width that was fitted; the selected one has a gauge that + and − turn."""
    selected = gauge is not None
    ground: Ink = "selection" if selected else "background"
    state = view.container.state
    glyph, tone = look(state)
    row = Row().add("▌" if selected else " ", palette.style("selected", ground))
    row.add("✓" if marked else " ", palette.style("selected", ground)).add(
        f"{glyph} ", palette.style(tone, ground)
    )
    running = state.status in ALIVE
    for column, width in fit.columns:
        if column.key == "name":
            waits = VICTIM if _number(view.sample.cpu_stall) >= STALLED else ""
            sign = f" {view.sign or waits}" if running and (view.sign or waits) else ""
            name = clip(harmless(view.container.name), width - len(sign))
            row.add(name, palette.style("text", ground, bold=selected)).add(
                sign, palette.style("warn" if view.sign == SUSPECT else "stalled", ground)
            )
            row.fill(row.cells + width - len(sign) - cell_width(name) + 1, palette.style("text", ground))
        elif not running and column.key != "image":
            reason = why(state) + (f" · {clock(state.finished_at)}" if state.finished_at else "")
            ink: Ink = "failed" if tone == "failed" else "muted"
            row.add(clip(harmless(reason), fit.width - row.cells), palette.style(ink, ground))
            break
        elif column.key == "minute":
            scale = cpu_scale(view.container, view.host)
            row.join(history(view.trace.points, view.trace.turned, view.now, width, scale, palette, ground))
            row.add(" ", palette.style("text", ground))
        else:
            text, ink = column.cell(view)
            if gauge is not None and column.key == TURNED.get(gauge):
                style = palette.style("flash" if flashing else "selected", ground, bold=True, reverse=True)
                row.fill(row.cells + width - cell_width(text), palette.style("text", ground))
                row.add(text, style).add(" ", palette.style("text", ground))
                continue
            row.add(
                pad(text, width, column.right) + " ",
                palette.style("muted" if text == ABSENT else ink, ground),
            )
    return cut(row.fill(fit.width, palette.style("text", ground)).segments, fit.width)
