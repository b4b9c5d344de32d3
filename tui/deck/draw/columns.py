"""Columns of a list whose rows are drawn: which of them fit, their titles, and one row of cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from tui.deck.draw.line import Line, Row, cut
from tui.deck.theme import Ink, Palette
from tui.presentation.text import pad, width

T = TypeVar("T")
MARGIN = 2  # cells before the first column: the cursor


class Column(msgspec.Struct, Generic[T], frozen=True):
    """One column. `rank` decides which give way where there is little room: the highest first."""

    key: str
    title: str
    width: int
    rank: int
    cell: Callable[[T], tuple[str, Ink]]
    value: Callable[[T], Any]  # what it is sorted by
    right: bool = True
    most: int = 0  # cells that it may grow to; 0: it does not


class Fitted(msgspec.Struct, Generic[T], frozen=True):
    """The columns that fit a width, each with the cells it gets."""

    columns: list[tuple[Column[T], int]]
    width: int


def fit(columns: Sequence[Column[T]], wide: int, items: Sequence[T] = ()) -> Fitted[T]:
    """As many columns as there is room for; what is left goes to those whose cells want more, in turn."""
    shown = list(columns)
    while (rank := max(column.rank for column in shown)) and _needed(shown) > wide:
        shown = [column for column in shown if column.rank != rank]
    spare = max(0, wide - _needed(shown))
    widths = {column.key: column.width for column in shown}
    wanted = {
        column.key: min(column.most, max((width(column.cell(item)[0]) for item in items), default=0))
        for column in shown
        if column.most
    }
    growing = [column for column in shown if column.most]
    if growing and not growing[0].rank:  # what a row is called comes before everything else
        first = growing.pop(0)
        grown = max(0, min(spare, wanted[first.key] - widths[first.key]))
        widths[first.key] += grown
        spare -= grown
    while spare and growing:
        growing = [column for column in growing if widths[column.key] < wanted[column.key]]
        for column in growing[:spare]:
            widths[column.key] += 1
            spare -= 1
    return Fitted([(column, widths[column.key]) for column in shown], wide)


def _needed(columns: Sequence[Column[T]]) -> int:
    return MARGIN + sum(column.width + 1 for column in columns)


def header(fitted: Fitted[T], sort: str, descending: bool, palette: Palette) -> Line:
    """The row of titles; the sorted column's is bright and has an arrow."""
    row = Row().add(" " * MARGIN, palette.style("muted", "surface"))
    for column, wide in fitted.columns:
        title, on = column.title, column.key == sort
        if on:
            arrow = "▼" if descending else "▲"
            title = f"{title} {arrow}" if len(title) + 2 <= wide else f"{title[: wide - 1]}{arrow}"
        style = palette.style("selected" if on else "muted", "surface", bold=on)
        row.add(pad(title, wide, column.right) + " ", style)
    return cut(row.fill(fitted.width, palette.style("muted", "surface")).segments, fitted.width)


def at(fitted: Fitted[T], x: int) -> str:
    """The key of the column at a cell of the header; empty beside them."""
    edge = MARGIN
    for column, wide in fitted.columns:
        if edge <= x <= edge + wide:
            return column.key
        edge += wide + 1
    return ""


def draw(item: T, fitted: Fitted[T], palette: Palette, current: bool) -> Line:
    """One row in exactly the width that was fitted."""
    ground: Ink = "selection" if current else "background"
    row = Row().add("▌ " if current else "  ", palette.style("selected", ground))
    for place, (column, wide) in enumerate(fitted.columns):
        text, ink = column.cell(item)
        row.add(pad(text, wide, column.right) + " ", palette.style(ink, ground, bold=not place and current))
    return cut(row.fill(fitted.width, palette.style("text", ground)).segments, fitted.width)
