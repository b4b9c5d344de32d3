"""Measured figures, and the table they make."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """What was measured of one program, in the order it was measured; at least one value."""

    who: str
    values: list[float]
    unit: str

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def p95(self) -> float:
        return quantile(self.values, 0.95)

    @property
    def text(self) -> str:
        """Median, and the 95th percentile where there are enough values for one."""
        tail = f", p95 {number(self.p95)}" if len(self.values) >= 20 else ""
        return f"{self.who} **{number(self.median)} {self.unit}**{tail}"


class Row(msgspec.Struct, frozen=True):
    """One line of the table; `met` is None where there is no budget, or what it is held against is missing."""

    what: str
    budget: str
    figures: list[Figure]
    met: bool | None = None
    notes: list[str] = []

    @property
    def verdict(self) -> str:
        return {True: "met", False: "**missed**", None: "–"}[self.met]


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def number(value: float) -> str:
    """Three digits that mean something."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def missed(what: Figure, budget: float) -> list[str]:
    """By how much a figure is over a budget in its own unit; nothing where it is not."""
    over = what.median - budget
    return [f"over by {number(over)} {what.unit} ({over / budget:.0%})"] if over > 0 else []


def markdown(rows: Sequence[Row], machine: str) -> str:
    """The whole of RESULTS.md."""
    lines = [
        "# Budgets, measured",
        "",
        "Made by `make bench`; do not edit. Medians; p95 where there are at least twenty values. Peers were",
        "measured in the same run, in turns with tiffin. What could not be measured says so.",
        "",
        machine,
        "",
        "| what | budget | tiffin | peers | verdict |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        own = [figure.text for figure in row.figures if figure.who.startswith("tiffin")]
        peers = [figure.text for figure in row.figures if not figure.who.startswith("tiffin")]
        cells = [row.what, row.budget, "<br>".join(own), "<br>".join(peers) or "–", row.verdict]
        lines.append("| " + " | ".join(cells) + " |")
    notes = [f"- {row.what}: {note}" for row in rows for note in row.notes]
    return "\n".join([*lines, "", *(["Notes", "", *notes, ""] if notes else [])])


def plain(row: Row) -> str:
    """One row for the terminal."""
    figures = "; ".join(figure.text.replace("**", "") for figure in row.figures) or "not measured"
    verdict = {True: "met", False: "MISSED", None: ""}[row.met]
    lines = [f"{row.what} [{row.budget}] {verdict}", f"    {figures}"]
    return "\n".join([*lines, *(f"    {note}" for note in row.notes)])
