"""Everything the engine knows of the container, as JSON that can be searched and copied."""

from __future__ import annotations

import json
import re
from itertools import pairwise

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Static

from engine.model import JSON, ContainerState
from tui.deck.details.heading import Heading
from tui.deck.details.tab import SearchTab, Subject
from tui.deck.draw.line import Line
from tui.deck.theme import Ink, Palette, palette_of
from tui.deck.widgets.lines import Lines
from tui.presentation.text import harmless

TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*|true|false|null)')


class Inspect(SearchTab):
    """A row for each line."""

    BINDINGS = [
        Binding("n", "find(1)", "next", id="details.next"),
        Binding("N", "find(-1)", "previous", id="details.previous"),
        Binding("y", "copy(False)", "copy the value", id="details.copy"),
        Binding("Y", "copy(True)", "copy all", id="details.copy_all"),
    ]

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._lines: list[str] = []
        self._as_of: ContainerState | None = None

    def compose(self) -> ComposeResult:
        yield Heading(" asking the engine …")
        yield Lines()
        yield self.search_field("find in names and values; n and N go on")
        yield Static(id="told", markup=False)

    def opened(self) -> None:
        self._as_of = None
        self.refresh_now()

    def refresh_now(self) -> None:
        container = self.subject.container
        if container is None or container.state == self._as_of:
            return
        state = container.state
        if self.asking.ask(
            "inspect", lambda: self.subject.link.client.inspect(self.subject.id), self._take, self.failed
        ):
            self._as_of = state

    def _take(self, inspected: JSON) -> None:
        self._lines = json.dumps(inspected, indent=2, ensure_ascii=False).splitlines()
        self.tell("")
        self._show()

    def _show(self) -> None:
        palette, sought = palette_of(self), self.sought.lower()
        hits = sum(1 for line in self._lines if sought in line.lower()) if sought else 0
        found = f" · {hits} lines match" if sought else ""
        self.query_one(Heading).tell(f" {len(self._lines)} lines{found}")
        widest = max(map(len, self._lines), default=0) + 2
        self.query_one(Lines).show(self._lines, lambda line, on: draw(line, sought, palette, on), widest)

    def searched(self, text: str) -> None:
        """See SearchTab."""
        self._show()
        self._find(0, 1)

    def action_find(self, by: int) -> None:
        self._find(by, by)

    def _find(self, begin: int, by: int) -> None:
        """Go to the next line with the sought text, from `begin` lines off the cursor, around the end."""
        sought, lines, count = self.sought.lower(), self.query_one(Lines), len(self._lines)
        if not sought or not count:
            return
        for step in range(count):
            place = (lines.current + begin + step * by) % count
            if sought in self._lines[place].lower():
                lines.select(place)
                return

    def action_copy(self, everything: bool) -> None:
        if not self._lines:
            return
        if everything:
            self.app.copy_to_clipboard("\n".join(self._lines))
            self.notify("all of it is in the clipboard")
        else:
            self.app.copy_to_clipboard(value_of(self._lines[self.query_one(Lines).current]))
            self.notify("the value is in the clipboard")


def value_of(line: str) -> str:
    """What a line of JSON says: a string without its quotes, else as it is written."""
    text = line.strip().removesuffix(",")
    match = TOKEN.match(text)
    if match and match[2]:
        text = text[match.end() :].strip()
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


def draw(line: str, sought: str, palette: Palette, current: bool) -> Line:
    """One line, coloured by what its parts are; where the sought text is, it is reversed."""
    ground: Ink = "selection" if current else "background"
    inks: list[tuple[int, int, Ink]] = []
    for match in TOKEN.finditer(line):
        ink: Ink = "used" if match[2] else "text" if match[1] else "waiting"
        inks.append((match.start(), match.end(), ink))
    marks = [m.span() for m in re.finditer(re.escape(sought), line, re.IGNORECASE)] if sought else []
    edges = sorted({0, len(line), *(e for a, b, _ in inks for e in (a, b)), *(e for s in marks for e in s)})
    out = [Segment(" ", palette.style("text", ground))]
    for begin, end in pairwise(edges):
        tone: Ink = next((ink for a, b, ink in inks if a <= begin < b), "muted")
        hit = any(a <= begin < b for a, b in marks)
        out.append(Segment(harmless(line[begin:end]), palette.style(tone, ground, bold=hit, reverse=hit)))
    return out
