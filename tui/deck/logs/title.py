"""The log pane's title: whose output it is, where in it, and the keys that matter there."""

from __future__ import annotations

from typing import NamedTuple

from tui.deck.draw.line import Line, Row
from tui.deck.theme import palette_of
from tui.deck.widgets.drawn import DrawnLine
from tui.presentation.text import clip, harmless, width

KEYS = (("/", "search"), ("&", "filter"), ("f", "follow"), ("t", "time"), ("w", "wrap"), ("^s", "save"))
"""The most important first."""


class Told(NamedTuple):
    """What the title tells."""

    name: str = ""
    notes: tuple[str, ...] = ()
    status: str = ""  # what goes on, or how it ended
    focused: bool = False


class LogTitle(DrawnLine):
    """A rule with text on it."""

    def __init__(self) -> None:
        super().__init__("log-title")
        self._told = Told()

    def show(self, told: Told) -> None:
        """Tell something else."""
        self._told = told
        self.sync()

    def line(self) -> Line:
        """See DrawnLine."""
        palette, wide, told = palette_of(self), self.outer_size.width, self._told
        rule = palette.style("selected" if told.focused else "border")
        muted = palette.style("muted")
        row = Row().add("── ", rule).add("logs", palette.style("text", bold=True))
        room = wide - row.cells - 1
        for text, style in (
            (harmless(told.name), palette.style("selected", bold=True)),
            *((harmless(note), muted) for note in told.notes),
            (harmless(told.status), palette.style("warn")),
        ):
            left = room - row.cells
            if text and left > 8:
                row.add(" · ", muted).add(clip(text, left), style)
        row.add(" ", rule)
        keys = Row()
        for key, word in KEYS if told.name else ():
            if row.cells + keys.cells + width(key) + width(word) + 9 > wide:
                break
            keys.add(f"  {key}" if keys.cells else f" {key}", palette.style("selected"))
            keys.add(f" {word}", muted)
        if keys.cells:
            keys.add(" ──", rule)
        row.fill(wide - keys.cells, rule, "─")
        return row.join(keys.segments).segments
