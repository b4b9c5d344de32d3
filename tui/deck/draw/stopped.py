"""A container that does not run, as one row that says why."""

from __future__ import annotations

from engine.model import ContainerSummary
from tui.deck.draw.line import Line, Row
from tui.deck.theme import Ink, Palette
from tui.presentation.states import look, why
from tui.presentation.text import clip, harmless, pad
from tui.presentation.times import clock


def draw(
    container: ContainerSummary,
    names: int,
    wide: int,
    palette: Palette,
    *,
    selected: bool,
    marked: bool,
    doing: str = "",
) -> Line:
    """The row in `wide` cells; `names` is how many of them the column of names takes."""
    ground: Ink = "selection" if selected else "background"
    glyph, tone = look(container.state)
    row = Row().add("▌" if selected else " ", palette.style("selected", ground))
    row.add("✓" if marked else " ", palette.style("selected", ground))
    row.add(f"{glyph} ", palette.style(tone, ground))
    row.add(pad(harmless(container.name), names), palette.style("text", ground, bold=selected))
    ended = container.state.finished_at
    reason = doing or why(container.state) + (f" · {clock(ended)}" if ended and not doing else "")
    room = wide - row.cells - 2
    row.add("  ", palette.style("muted", ground))
    row.add(clip(harmless(reason), room), palette.style("failed" if tone == "failed" else "muted", ground))
    return row.right(f"  {harmless(container.image)} ", wide, palette.style("muted", ground)).segments
