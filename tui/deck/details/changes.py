"""What the container changed in its root file system."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Static

from engine.model import Change
from tui.deck.details.heading import Heading
from tui.deck.details.tab import SearchTab, Subject
from tui.deck.draw.line import Line, Row
from tui.deck.theme import Ink, Palette, palette_of
from tui.deck.widgets.lines import Lines
from tui.presentation.quantities import size
from tui.presentation.text import harmless, pad
from tui.presentation.times import clock

SIGNS: dict[str, tuple[str, Ink]] = {
    "added": ("A +", "running"), "modified": ("C ~", "waiting"), "deleted": ("D −", "failed"),
}  # fmt: skip
WORDS = {"added": "added", "modified": "changed", "deleted": "deleted"}


class Changes(SearchTab):
    """A row for each path; comparing the trees is work, so it is done when asked for."""

    BINDINGS = [
        Binding("r", "again", "look again", id="details.again"),
        Binding("y", "copy", "copy the path", id="details.copy_path", show=False),
    ]

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._found: Sequence[Change] = ()
        self._shown: Sequence[Change] = ()
        self._as_of = ""

    def compose(self) -> ComposeResult:
        yield Heading(" comparing its root with its image …")
        yield Lines()
        yield self.search_field("part of a path, or added, changed, deleted")
        yield Static(id="told", markup=False)

    def opened(self) -> None:
        self.action_again()

    def refresh_now(self) -> None:
        """Nothing: see the class."""

    def action_again(self) -> None:
        self.asking.ask(
            "diff", lambda: self.subject.link.client.diff(self.subject.id), self._take, self.failed
        )

    def _take(self, found: list[Change]) -> None:
        self._found = found
        counts = Counter[str](change.kind for change in found)
        told = " · ".join(f"{counts[kind]} {WORDS[kind]}" for kind in SIGNS if counts[kind])
        written = sum(change.size for change in found)
        self._as_of = f"{told or 'nothing was changed'} · {size(written)} written · at {clock(time.time())}"
        self.tell("")
        self.searched(self.sought)

    def searched(self, text: str) -> None:
        """See SearchTab."""
        words = text.lower().split()
        self._shown = [
            change
            for change in self._found
            if all(word in f"{WORDS[change.kind]} {change.path}".lower() for word in words)
        ]
        few = f" · {len(self._shown)} match" if words else ""
        self.query_one(Heading).tell(f" {self._as_of}{few}")
        palette = palette_of(self)
        widest = max((len(change.path) for change in self._shown), default=0) + 16
        self.query_one(Lines).show(self._shown, lambda change, on: draw(change, palette, on), widest)

    def action_copy(self) -> None:
        current = self.query_one(Lines).current
        if current < len(self._shown):
            self.app.copy_to_clipboard(self._shown[current].path)
            self.notify("the path is in the clipboard")


def draw(change: Change, palette: Palette, current: bool) -> Line:
    """One change as a row."""
    ground: Ink = "selection" if current else "background"
    sign, ink = SIGNS[change.kind]
    row = Row().add(f" {sign} ", palette.style(ink, ground, bold=True))
    bytes = "" if change.is_dir or change.kind == "deleted" else size(change.size)
    row.add(pad(bytes, 6, True) + "  ", palette.style("muted", ground))
    path = harmless(change.path) + ("/" if change.is_dir else "")
    return row.add(path, palette.style("muted" if change.kind == "deleted" else "text", ground)).segments
