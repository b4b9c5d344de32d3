"""Long work as rows: one a job, one a part of it; a bar never moves sideways while its figures change."""

from __future__ import annotations

from tui.deck.draw.bars import bar
from tui.deck.draw.line import Line, Row, cut
from tui.deck.jobs.job import Part, State, Verb, View
from tui.deck.theme import Ink, Palette
from tui.presentation.quantities import rate, share, size
from tui.presentation.text import clip, harmless, pad
from tui.presentation.times import duration

SIGNS: dict[Verb, str] = {"pull": "↓", "push": "↑", "build": "⚒", "load": "↓", "save": "↑", "import": "↓"}
ENDED: dict[State, tuple[str, Ink]] = {
    "runs": ("", "used"), "done": ("✓", "running"), "failed": ("✕", "failed"), "cancelled": ("○", "muted"),
}  # fmt: skip
FIGURES = 26  # cells right of a bar: " 32M / 48M  12M/s  3m 12s"
STATUS = 26  # cells for what became of a step
LEAST_BAR, MOST_BAR = 8, 40


def job(view: View, wide: int, palette: Palette, current: bool) -> Line:
    """What it does and how far it is; of one that has ended, what came of it."""
    ground: Ink = "selection" if current else "background"
    sign, ink = ENDED[view.state] if view.state != "runs" else (SIGNS[view.verb], "used")
    quiet = palette.style("muted", ground)
    row = Row().add("▌" if current else " ", palette.style("selected", ground))
    row.add(f"{sign} ", palette.style(ink, ground, bold=True))
    room = names(wide)
    row.add(pad(f"{view.verb} {harmless(view.subject)}", room), palette.style("text", ground, bold=True))
    row.add(" ", quiet)
    if view.state != "runs":
        told = f"{harmless(view.told)}" + (f" · {duration(view.seconds)}" if view.state == "done" else "")
        row.add(clip(told, wide - row.cells), palette.style(ink, ground))
    elif view.share is not None and view.total:
        row.join(bar(view.share, bars(wide), "used", palette)).add(
            _figures(view.done, view.total, view.rate), palette.style("text", ground)
        )
        row.add(f"  {harmless(view.told)}" if view.told else "", quiet)
    else:
        told = " · ".join(part for part in (harmless(view.told) or "asking", duration(view.seconds)) if part)
        row.add(clip(told, wide - row.cells), quiet)
    return cut(row.fill(wide, quiet).segments, wide)


def part(one: Part, wide: int, palette: Palette, current: bool) -> Line:
    """One layer or blob of a job."""
    ground: Ink = "selection" if current else "background"
    quiet = palette.style("muted", ground)
    row = Row().add("▌" if current else " ", palette.style("selected", ground)).add("  ", quiet)
    if one.total is None and not one.done:  # a step, which has words instead of bytes
        row.add(pad(f"  {harmless(one.label)}", max(names(wide), wide - STATUS)), quiet).add(" ", quiet)
        style = palette.style("running" if one.finished else "used", ground)
        row.add(f"{'✓' if one.finished else '●'} {harmless(one.status)}", style)
        return cut(row.fill(wide, quiet).segments, wide)
    row.add(pad(f"  {harmless(one.label)}", names(wide)), quiet).add(" ", quiet)
    if one.finished:
        told = f"✓ {size(one.total if one.total is not None else one.done)} {harmless(one.status)}"
        row.add(told, palette.style("running", ground))
    elif one.total:
        row.join(bar(one.done / one.total, bars(wide), "used", palette))
        row.add(_figures(one.done, one.total, one.rate), quiet).add(f"  {harmless(one.status)}", quiet)
    else:
        row.add(f"{size(one.done)} {harmless(one.status)}", quiet)
    return cut(row.fill(wide, quiet).segments, wide)


def names(wide: int) -> int:
    """Cells for a job's name."""
    return max(20, min(48, wide * 3 // 10))


def bars(wide: int) -> int:
    """Cells for its bar."""
    return max(LEAST_BAR, min(MOST_BAR, wide - names(wide) - FIGURES - 6))


def _figures(done: int, total: int, each_second: float | None) -> str:
    told = f" {pad(size(done), 4, True)} / {pad(size(total), 4)} "
    if each_second is None:
        return told + " " * (FIGURES - len(told))
    left = f" {duration((total - done) / each_second, 1)}" if each_second > 0 else ""
    return pad(f"{told}{pad(rate(each_second), 6, True)}{left}", FIGURES)


def summary(views: list[View]) -> str:
    """What runs, in a few words for another screen: "pull debian:13 43%"; empty where nothing does."""
    running = [view for view in views if view.state == "runs"]
    if not running:
        return ""
    first = running[-1]
    told = f"{first.verb} {first.subject}" + (f" {share(first.share)}" if first.share is not None else "")
    return told + (f" and {len(running) - 1} more" if len(running) > 1 else "")
