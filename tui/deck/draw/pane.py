"""One running container as a pane of fixed size."""

from __future__ import annotations

import msgspec
from rich.segment import Segment

from engine.model import ContainerSummary, HostSample, IoLimit, Sample
from tui.deck.draw.bars import bar, history, near
from tui.deck.draw.line import Line, Row, cut
from tui.deck.selection import Gauge
from tui.deck.store import Trace
from tui.deck.theme import Ink, Palette
from tui.presentation.quantities import cores, cores_limit, count, of_limit, share, size, size_limit
from tui.presentation.states import SUSPECT, VICTIM, look
from tui.presentation.text import clip, harmless, pad, width
from tui.presentation.times import duration

LABEL = 4  # cells before a bar: "CPU "
NUMBERS = 17  # cells of numbers after it
FRAME = 4  # cells of border and blank, left and right together
LEAST_HEIGHT = 7  # with its border, without any output
LIGHT, HEAVY = "╭─╮│╰╯", "┏━┓┃┗┛"
STALLED = 0.2
"""From this share on, waiting is worth a colour."""


class PaneView(msgspec.Struct, frozen=True):
    """Everything one pane shows."""

    container: ContainerSummary
    sample: Sample
    trace: Trace
    host: HostSample
    now: float
    tail: list[str]
    selected: bool = False
    marked: bool = False
    gauge: Gauge | None = None  # which one + and − turn
    doing: str = ""  # what an action does to it now: "stopping"
    flashing: bool = False  # that gauge's limit was turned just now
    sign: str = ""  # victim or suspect


def draw(view: PaneView, wide: int, high: int, palette: Palette) -> list[Line]:
    """The pane's `high` rows, each exactly `wide` cells."""
    inner = wide - FRAME
    rows = [_cpu(view, inner, palette), _minute(view, inner, palette), _memory(view, inner, palette)]
    rows += [_flows(view, inner, palette), _place(view, inner, palette)]
    room = high - 2 - len(rows)
    quiet = palette.style("muted")
    rows += (
        [Row().add(pad(harmless(text), inner), quiet).segments for text in view.tail[-room:]]
        if room > 0
        else []
    )
    blank = [Segment(" " * inner, quiet)]
    rows += [blank] * (high - 2 - len(rows))
    return _framed(view, rows[: high - 2], wide, palette)


def _framed(view: PaneView, rows: list[Line], wide: int, palette: Palette) -> list[Line]:
    box = HEAVY if view.selected else LIGHT
    edge = palette.style("selected" if view.selected else "border")
    glyph, tone = look(view.container.state)
    top = Row().add(box[0] + box[1] + " ", edge).add(f"{glyph} ", palette.style(tone))
    sign = view.sign or (VICTIM if _waits(view) else "")
    signs = (" ✓" if view.marked else "") + (f" {sign}" if sign else "")
    if view.doing or view.container.state.status != "running":
        signs += f" {view.doing or view.container.state.status}"
    name = clip(harmless(view.container.name), max(4, wide - top.cells - len(signs) - 4))
    top.add(name, palette.style("text", bold=True))
    top.add(signs, palette.style("warn" if sign == SUSPECT else "stalled" if sign else tone)).add(" ", edge)
    image = clip(harmless(view.container.image), max(0, wide - top.cells - 6))
    if width(image) < 3:
        image = ""
    end = wide - 1 - (width(image) + 3 if image else 0)
    top.fill(end, edge, box[1])
    if image:
        top.add(f" {image} ", palette.style("muted")).add(box[1], edge)
    top.add(box[2], edge)
    left, right = Segment(box[3] + " ", edge), Segment(" " + box[3], edge)
    bottom = [Segment(box[4] + box[1] * (wide - 2) + box[5], edge)]
    return [cut(top.segments, wide), *([left, *row, right] for row in rows), bottom]


def _waits(view: PaneView) -> bool:
    return (view.sample.cpu_stall or 0.0) >= STALLED


def _label(view: PaneView, gauge: Gauge, text: str, palette: Palette) -> Segment:
    if view.gauge == gauge:
        return Segment(text, palette.style("selected", bold=True, reverse=True))
    return Segment(text, palette.style("muted"))


def _limit(view: PaneView, gauge: Gauge, text: str, palette: Palette) -> Segment:
    if view.gauge == gauge and view.flashing:
        return Segment(text, palette.style("flash", bold=True, reverse=True))
    return Segment(text, palette.style("text"))


def _gauge(label: Segment, line: Line, used: Row, limit: Segment, inner: int, palette: Palette) -> Line:
    blank = palette.style("text")
    row = Row().join([label]).add(" " * (LABEL - width(label.text)), blank).join(line)
    row.fill(inner - used.cells - width(limit.text), blank)
    return cut(row.join(used.segments).join([limit]).segments, inner)


def _bar_width(inner: int) -> int:
    return max(3, inner - LABEL - 1 - NUMBERS)


def cpu_scale(container: ContainerSummary, host: HostSample) -> float:
    """Cores at a full bar: the limit, or the machine."""
    limit = container.limits.cpus
    return min(limit, host.cores) if limit else float(host.cores)


def _cpu(view: PaneView, inner: int, palette: Palette) -> Line:
    limit, used = view.container.limits.cpus, view.sample.cpu
    part = None if used is None else used / cpu_scale(view.container, view.host)
    gauge = bar(part, _bar_width(inner), near(part, limit is not None), palette)
    numbers = Row().add(f"{of_limit(used, limit) if limit else '':>4} ", palette.style("muted"))
    numbers.add(f"{cores(used):>5}", palette.style("text", bold=True)).add(" / ", palette.style("muted"))
    told = cores_limit(limit)
    number = _limit(view, "cpu", f"{told if len(told) <= 4 else cores(limit):>4}", palette)
    return _gauge(_label(view, "cpu", "CPU", palette), gauge, numbers, number, inner, palette)


def _minute(view: PaneView, inner: int, palette: Palette) -> Line:
    scale = cpu_scale(view.container, view.host)
    line = history(view.trace.points, view.trace.turned, view.now, _bar_width(inner), scale, palette)
    row = Row().add(" " * LABEL, palette.style("text")).join(line)
    stall, throttled = view.sample.cpu_stall, view.sample.throttled
    right = Row()
    if throttled is not None and throttled >= 0.005:
        right.add(f"thr{share(throttled):>4} ", palette.style("warn" if throttled >= STALLED else "muted"))
    right.add("stall", palette.style("muted"))
    ink: Ink = "stalled" if stall is not None and stall >= STALLED else "text"
    right.add(f"{share(stall):>4}", palette.style(ink, bold=ink == "stalled"))
    row.fill(inner - right.cells, palette.style("text"))
    return cut(row.join(right.segments).segments, inner)


def memory_scale(container: ContainerSummary, sample: Sample, host: HostSample) -> int:
    """Bytes at a full bar: the limit, or the machine."""
    limits = [limit for limit in (container.limits.memory, sample.memory_limit, host.memory_total) if limit]
    return min(limits) if limits else 1


def _memory(view: PaneView, inner: int, palette: Palette) -> Line:
    limit, used, cache = view.container.limits.memory, view.sample.memory, view.sample.cache
    scale = memory_scale(view.container, view.sample, view.host)
    part = None if used is None else used / scale
    gauge = bar(part, _bar_width(inner), near(part, True), palette, (cache or 0) / scale)
    numbers = Row().add(f"{size(used):>5}", palette.style("text", bold=True))
    numbers.add(f"+{size(cache):<4} / ", palette.style("muted"))
    number = _limit(view, "memory", f"{size_limit(limit):>4}", palette)
    return _gauge(_label(view, "memory", "MEM", palette), gauge, numbers, number, inner, palette)


def io_limit(container: ContainerSummary) -> int | None:
    """The tightest write throughput of any device, in bytes a second."""
    set_limits = [limit for limit in map(_writes, container.limits.io.values()) if limit]
    return min(set_limits) if set_limits else None


def _writes(limit: IoLimit) -> int | None:
    return limit.write_bps


def _flows(view: PaneView, inner: int, palette: Palette) -> Line:
    quiet, plain = palette.style("muted"), palette.style("text")
    sample, limit = view.sample, io_limit(view.container)
    row = Row().join([_label(view, "io", "IO", palette)])
    row.add("  r ", quiet).add(f"{size(sample.io_read):>4}", plain)
    row.add(" w ", quiet).add(f"{size(sample.io_write):>4}", plain)
    if limit is not None:
        row.join([_limit(view, "io", f" ≤{size(limit)}", palette)])
    net = Row().add("NET " if limit is None or inner > 41 else "", quiet)
    net.add("↓ ", quiet).add(f"{size(sample.net_rx):>4}", plain)
    net.add(" ↑ ", quiet).add(f"{size(sample.net_tx):>4}", plain)
    row.fill(inner - net.cells, quiet)
    return cut(row.join(net.segments).segments, inner)


def address(container: ContainerSummary) -> str:
    """Where it is reached: "10.88.0.4 8080→80"."""
    ports = " ".join(f"{p.host_port}→{p.container_port}" for p in container.publish[:2])
    more = f" +{len(container.publish) - 2}" if len(container.publish) > 2 else ""
    where = container.address or (
        container.network if container.network in ("host", "none") else "no address"
    )
    return f"{where} {ports}{more}".strip() if container.address else where


def _place(view: PaneView, inner: int, palette: Palette) -> Line:
    limit = view.container.limits.pids
    seconds = view.now - view.container.state.started_at
    procs = count(view.sample.pids) + (f"/{limit}" if limit is not None else "")
    word = "proc" if view.sample.pids == 1 and limit is None else "procs"
    right = Row()
    right.join([_limit(view, "pids", procs, palette)]).add(" ", palette.style("muted"))
    right.join([_label(view, "pids", word, palette)])
    where, up = address(view.container), f"{duration(seconds):>8}"
    if width(where) + right.cells + width(up) >= inner:
        up = f"{duration(seconds, 1):>4}"
    right.add(up, palette.style("text"))
    left = pad(where, max(0, inner - right.cells - 1))
    return cut(Row().add(left + " ", palette.style("muted")).join(right.segments).segments, inner)
