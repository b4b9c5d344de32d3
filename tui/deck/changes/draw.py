"""The changes of a container as rows, and what they amount to."""

from __future__ import annotations

from tui.deck.changes.tree import KINDS, Kind, Node, Tally
from tui.deck.draw.line import Line, Row, cut
from tui.deck.theme import Ink, Palette
from tui.presentation.quantities import size
from tui.presentation.text import clip, harmless, pad

SIGNS: dict[Kind, tuple[str, Ink]] = {
    "added": ("A +", "running"), "modified": ("C ~", "waiting"), "deleted": ("D −", "failed"),
}  # fmt: skip
WORDS: dict[Kind, str] = {"added": "added", "modified": "changed", "deleted": "deleted"}
BAR = 24  # cells


def node(one: Node, wide: int, palette: Palette, current: bool) -> Line:
    """One path; of a folder also how much was changed below it."""
    ground: Ink = "selection" if current else "background"
    quiet = palette.style("muted", ground)
    row = Row().add("▌" if current else " ", palette.style("selected", ground))
    if one.change is not None and not (one.folder and one.change.kind == "modified"):
        sign, ink = SIGNS[one.change.kind]
        row.add(f"{sign} ", palette.style(ink, ground, bold=True))
    else:
        row.add("    ", quiet)
    bytes = one.tally.written if one.folder else one.change.size if one.change else 0
    gone = one.change is not None and (one.change.kind == "deleted" or (one.change.is_dir and not one.folder))
    row.add(pad("" if gone or not bytes else size(bytes), 5, True) + "  ", quiet)
    row.add("  " * one.depth, quiet)
    fold = ("▸ " if one.folded else "▾ ") if one.folder else "  "
    row.add(fold, palette.style("selected", ground))
    is_dir = one.folder or (one.change is not None and one.change.is_dir)
    label = harmless(one.label) + ("/" if is_dir else "")
    deleted = one.change is not None and one.change.kind == "deleted"
    row.add(
        clip(label, max(0, wide - row.cells)),
        palette.style("muted" if deleted else "text", ground, bold=one.folder),
    )
    if one.folder:
        row.add("  ", quiet)
        for kind in KINDS:
            if count := one.tally.of(kind):
                row.add(f"{SIGNS[kind][0][-1]}{count} ", palette.style(SIGNS[kind][1], ground))
    return cut(row.fill(wide, quiet).segments, wide)


def amount(tally: Tally) -> str:
    """How much was changed, in words: "14 changed, 31 added, 2 deleted paths"."""
    told = [f"{tally.of(kind)} {WORDS[kind]}" for kind in KINDS if tally.of(kind)]
    return ", ".join(told) or "nothing was changed"


def headline(tally: Tally, wide: int, palette: Palette, right: str) -> Line:
    """The changes as one bar in three colours, with their counts and bytes."""
    quiet = palette.style("muted", "surface")
    row = Row().add(" ", quiet)
    if not tally.paths:
        row.add("○ as its image: nothing was changed", palette.style("running", "surface", bold=True))
    for kind in KINDS:
        if count := tally.of(kind):
            sign, ink = SIGNS[kind]
            row.add(f"{sign[-1]} {count} {WORDS[kind]}  ", palette.style(ink, "surface", bold=True))
    if tally.paths:
        for kind, cells in _shares(tally).items():
            row.add("█" * cells, palette.style(SIGNS[kind][1], "surface"))
        row.add(f"  {size(tally.written)} written", palette.style("text", "surface"))
    if row.cells + len(right) + 2 <= wide:
        row.right(f"{right} ", wide, quiet)
    return cut(row.fill(wide, quiet).segments, wide)


def _shares(tally: Tally) -> dict[Kind, int]:
    """Cells of the bar; a kind of which there is one has at least one."""
    cells = {kind: max(1, round(BAR * tally.of(kind) / tally.paths)) for kind in KINDS if tally.of(kind)}
    most = max(cells, key=lambda kind: cells[kind])
    cells[most] -= sum(cells.values()) - BAR
    return cells


def rule(path: str, told: str, wide: int, palette: Palette) -> Line:
    """A line that parts two lists, with what is below it."""
    style = palette.style("border")
    row = Row().add("── ", style)
    if path:
        row.add(clip(harmless(path), max(0, wide - 24)), palette.style("text", bold=True)).add(" ", style)
    if told:
        row.add(f"· {told} ", palette.style("muted"))
    return cut(row.fill(wide, style, "─").segments, wide)
