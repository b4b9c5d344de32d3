"""A run of a demo as rows: two lanes side by side at one scale, the verdict and what was written below them."""

from __future__ import annotations

import textwrap

from engine.model import Lane, ScenarioRun
from tui.deck.draw.bars import bar
from tui.deck.draw.chart import RISING, nice
from tui.deck.draw.line import Line, Row, cut
from tui.deck.theme import Ink, Palette
from tui.presentation import demos as show
from tui.presentation.quantities import exact_cores
from tui.presentation.text import clip, harmless, pad, width

MOST_CHART = 32  # rows
SCALE = 7  # cells left of a curve
LEAST_CHART = 3


def heading(run: ScenarioRun, wide: int, palette: Palette) -> Line:
    """What is being played, and how far it is."""
    plain, quiet = palette.style("text", "surface", bold=True), palette.style("muted", "surface")
    states = {"preparing": "starting containers …", "done": "done", "left": "left", "failed": "failed"}
    told = states.get(run.state) or f"{run.elapsed:.0f} s of {run.seconds:g} s"
    row = Row().add(" demo ", palette.style("selected", "surface", bold=True))
    room = wide - row.cells - width(told) - 3
    title = clip(run.scenario.title, room)
    row.add(f" {title}", plain)
    bars = min(24, room - width(title) - 2)
    row.fill(wide - width(told) - 2 - (bars + 1 if bars >= 8 else 0), quiet)
    if bars >= 8:
        row.join(bar(run.elapsed / run.seconds, bars, "selected", palette)).add(" ", quiet)
    return cut(row.add(told, quiet).fill(wide, quiet).segments, wide)


def body(run: ScenarioRun, wide: int, high: int, palette: Palette) -> list[Line]:
    """Everything below the heading, in exactly `high` rows."""
    foot = _foot(run, wide, palette)
    story = [_text(line, wide, "muted", palette) for line in textwrap.wrap(run.scenario.story, wide - 3)]
    fixed = 6 + max(len(_measures(lane, wide // 2, palette)) for lane in run.lanes)
    if len(story) + 1 + fixed + LEAST_CHART + len(foot) > high:
        story = []
    foot = foot[: max(2, high - fixed - LEAST_CHART)]
    chart = max(1, min(MOST_CHART, high - len(foot) - fixed - (len(story) + 1 if story else 0)))
    blank = Row().fill(wide, palette.style("text")).segments
    rows = [*story, blank] if story else []
    rows += _lanes(run, wide, chart, palette)
    rows += [blank] * max(0, (high - len(rows) - len(foot)) // 3)
    rows += foot
    return (rows + [blank] * high)[:high]


def _text(text: str, wide: int, ink: Ink, palette: Palette, bold: bool = False) -> Line:
    return Row().add(pad(f" {harmless(text)}", wide), palette.style(ink, bold=bold)).segments


def _lanes(run: ScenarioRun, wide: int, high: int, palette: Palette) -> list[Line]:
    left = (wide - 1) // 2
    top = nice(max([value for lane in run.lanes for _, value in lane.points], default=1.0), 1.0)
    sides = [
        _lane(run, lane, room, high, top, palette)
        for lane, room in zip(run.lanes, (left, wide - 1 - left), strict=True)
    ]
    rule = palette.style("border")
    rows = max(map(len, sides))
    for side, room in zip(sides, (left, wide - 1 - left), strict=True):
        side += [Row().fill(room, palette.style("text")).segments] * (rows - len(side))
    return [[*one, *Row().add("│", rule).segments, *other] for one, other in zip(*sides, strict=True)]


def _lane(run: ScenarioRun, lane: Lane, wide: int, high: int, top: float, palette: Palette) -> list[Line]:
    plain, quiet = palette.style("text"), palette.style("muted")
    turn = lane.turn and run.state == "running"
    head = Row().add(" ● " if turn else " ○ ", palette.style("running" if turn else "muted", bold=True))
    head.add(clip(harmless(lane.title), wide - head.cells - 1), palette.style("text", bold=True))
    rows = [head.fill(wide, plain).segments]
    rows.append(_act("word", _tail(lane.victim, wide - 9), wide, palette))
    if lane.facts:
        rows += _facts(lane, wide, high + 2, palette)
    else:
        rows.append(Row().add(pad(f" {run.scenario.suffering}", wide), quiet).segments)
        rows += _curve(lane, run, wide, high, top, palette)
    rows.append(_act("setup", clip(lane.neighbour, wide - 9), wide, palette))
    rows += _measures(lane, wide, palette)
    return [cut(row, wide) for row in rows]


def _act(who: str, text: str, wide: int, palette: Palette) -> Line:
    row = Row().add(pad(f" {who}", 8), palette.style("muted")).add(harmless(text), palette.style("text"))
    return row.fill(wide, palette.style("text")).segments


def _tail(text: str, cells: int) -> str:
    """The end of a line that is being written."""
    return text if width(text) <= cells else "…" + text[-(cells - 1) :] if cells > 1 else ""


def _facts(lane: Lane, wide: int, high: int, palette: Palette) -> list[Line]:
    label = min(26, max((width(name) for name, _ in lane.facts), default=0) + 2)
    quiet, plain = palette.style("muted"), palette.style("text")
    rows = [
        Row()
        .add(pad(f" {name}", label), quiet)
        .add(clip(harmless(text), wide - label - 1), plain)
        .fill(wide, plain)
        .segments
        for name, text in lane.facts
    ]
    return (rows + [Row().fill(wide, plain).segments] * high)[:high]


def _measures(lane: Lane, wide: int, palette: Palette) -> list[Line]:
    """Its numbers, as many on a row as fit."""
    quiet, bold = palette.style("muted"), palette.style("text", bold=True)
    rows, row = [], Row().add(" ", quiet)
    for measure in lane.measures:
        label, number = measure.label, show.number(measure)
        needs = width(label) + width(number) + 3
        if row.cells > 1 and row.cells + needs > wide:
            rows.append(row.fill(wide, quiet).segments)
            row = Row().add(" ", quiet)
        row.add(f"{label} ", quiet).add(f"{number}  ", bold)
    return [*rows, row.fill(wide, quiet).segments]


def _curve(lane: Lane, run: ScenarioRun, wide: int, high: int, top: float, palette: Palette) -> list[Line]:
    """The worst of every moment of the lane's own time; both lanes have the same axes."""
    inner = max(1, wide - SCALE - 1)
    columns = _columns(lane, run.seconds / 2, inner)
    quiet, ink, plain = palette.style("muted"), palette.style("stalled"), palette.style("text")
    rows = []
    for row in range(high):
        scale = f"{exact_cores(top)}{run.scenario.unit}" if row == 0 else "0" if row == high - 1 else ""
        line = Row().add(pad(scale, SCALE - 1, right=True) + " ", quiet)
        above = (high - 1 - row) * 8
        text = "".join(
            " "
            if value is None
            else RISING[max(1 if above == 0 else 0, min(8, _eighths(value, top, high) - above))]
            for value in columns
        )
        rows.append(line.add(text, ink).fill(wide, plain).segments)
    end = f"{run.seconds / 2:g} s"
    axis = Row().fill(SCALE, quiet).add(pad("0", inner - width(end)), quiet).add(end, quiet)
    return [*rows, axis.fill(wide, quiet).segments]


def _columns(lane: Lane, seconds: float, inner: int) -> list[float | None]:
    """The worst value of each column; a point is of all the time since the one before it."""
    columns: list[float | None] = [None] * inner
    begin = 0
    for at, value in lane.points:
        end = min(inner - 1, int(at / seconds * inner))
        for place in range(min(begin, end), end + 1):
            columns[place] = max(columns[place] or 0.0, value)
        begin = end + 1
    return columns


def _eighths(value: float, top: float, high: int) -> int:
    return round(max(0.0, min(1.0, value / top)) * high * 8)


def _foot(run: ScenarioRun, wide: int, palette: Palette) -> list[Line]:
    """Verdict, what was tried, what was written, what else is to be known: what matters most first."""
    rows = [Row().fill(wide, palette.style("border"), "─").segments]
    if run.error:
        rows += [_text(line, wide, "failed", palette) for line in textwrap.wrap(run.error, wide - 2)]
    if run.verdict is None:
        rows.append(_text("measuring …" if run.state == "running" else "", wide, "muted", palette))
    else:
        rows += [
            _text(line, wide, "running", palette, bold=True)
            for line in textwrap.wrap(run.verdict.words, wide - 2)
        ]
        before, after, kept = run.verdict.figures
        numbers = f"{run.scenario.suffering}: {show.number(before)} → {show.number(after)}"
        rows.append(_text(f"{numbers} · {kept.label}: {show.number(kept)}", wide, "text", palette))
    if len(run.tried) > 1:
        tried = " · ".join(show.tried(one, run.scenario.unit) for one in run.tried)
        rows += [_text(line, wide, "text", palette) for line in textwrap.wrap(f"tried: {tried}", wide - 2)]
    written = [show.wrote(one) for one in run.written if not one.cap]
    rows += [_text(f"wrote {one}", wide, "muted", palette) for one in written]
    for note in run.notes:
        rows += [_text(line, wide, "muted", palette) for line in textwrap.wrap(note, wide - 2)]
    return rows
