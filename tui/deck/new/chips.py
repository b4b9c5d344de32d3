"""The known choices of the field that has the focus, in one row; a click takes one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from textual import events
from textual.message import Message

from tui.deck.draw.line import Line, Row, cut
from tui.deck.theme import palette_of
from tui.deck.widgets.drawn import DrawnLine
from tui.presentation.text import harmless


class Chips(DrawnLine):
    """Shows choices, the chosen one marked."""

    class Chosen(Message):
        """One was clicked."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self) -> None:
        super().__init__("chips")
        self._choices: Sequence[str] = ()
        self._chosen = ""
        self._bad: Collection[str] = ()
        self._places: list[tuple[int, int, str]] = []

    def show(self, choices: Sequence[str], chosen: str, bad: Collection[str] = ()) -> None:
        """Take what is to be shown; `bad` are choices that would be refused."""
        self._choices, self._chosen, self._bad = choices, chosen, bad
        self.sync()

    def line(self) -> Line:
        """See DrawnLine."""
        palette, wide = palette_of(self), self.outer_size.width
        plain, on = (
            palette.style("muted", "surface"),
            palette.style("selected", "surface", bold=True, reverse=True),
        )
        row = Row()
        self._places = []
        if self._choices:
            row.add("← → ", palette.style("selected", "surface", bold=True))
        first = max(0, self._choices.index(self._chosen) - 3) if self._chosen in self._choices else 0
        for choice in self._choices[first:]:
            begin = row.cells
            refused = choice in self._bad
            style = palette.style("failed", "surface") if refused else plain
            text = f" {'✕ ' if refused else ''}{harmless(choice)} "
            row.add(text, on if choice == self._chosen else style)
            self._places.append((begin, row.cells, choice))
        return cut(row.fill(wide, plain).segments, wide)

    def on_click(self, event: events.Click) -> None:
        for begin, end, choice in self._places:
            if begin <= event.x < end:
                self.post_message(self.Chosen(choice))
