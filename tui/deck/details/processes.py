"""What runs in the container, each tick anew."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.widgets import Static

from engine.model import Process
from tui.deck.details.heading import Heading
from tui.deck.details.tab import SearchTab, Subject
from tui.deck.draw.line import Line, Row
from tui.deck.theme import Ink, Palette, palette_of
from tui.deck.widgets.lines import Lines
from tui.presentation.quantities import cores, size
from tui.presentation.text import clip, harmless, pad
from tui.presentation.times import clock, duration

WIDTHS = (8, 8, 10, 3, 6, 8, 7, 9)
TITLES = ("PID", "PPID", "USER", "S", "CPU", "TIME", "RSS", "START", "COMMAND")
STATES = {"R": "running", "D": "waiting", "T": "paused", "Z": "failed"}


class Processes(SearchTab):
    """A row for each; CPU is cores over the last tick."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._found: Sequence[Process] = ()
        self._used: dict[int, float] = {}  # cores, by pid
        self._seconds: dict[tuple[int, float], float] = {}  # of CPU, by pid and start
        self._at = 0.0
        self._seq = -1

    def compose(self) -> ComposeResult:
        yield Heading("".join(pad(f" {title}", w, w != 10) for title, w in zip(TITLES, WIDTHS, strict=False))
                      + "  COMMAND")  # fmt: skip
        yield Lines()
        yield self.search_field("command or user")
        yield Static(id="told", markup=False)

    def refresh_now(self) -> None:
        snapshot, container = self.subject.store.snapshot, self.subject.container
        if snapshot is None or container is None or snapshot.seq == self._seq:
            return
        if container.state.status not in ("running", "paused"):
            self._take((snapshot.at, []))
            self.tell(f"nothing runs in it: it is {container.state.status}")
            return
        at, seq = snapshot.at, snapshot.seq

        def work() -> tuple[float, list[Process]]:
            return at, self.subject.link.client.top(self.subject.id)

        if self.asking.ask("top", work, self._take, self.failed):
            self._seq = seq

    def _take(self, answer: tuple[float, list[Process]]) -> None:
        at, self._found = answer
        elapsed = at - self._at
        seconds = {(p.pid, p.started_at): p.cpu_seconds for p in self._found}
        if elapsed > 0.5:  # a snapshot between two ticks is too near for a rate
            self._used = {
                pid: max(0.0, now - self._seconds[pid, started]) / elapsed
                for (pid, started), now in seconds.items()
                if (pid, started) in self._seconds
            }
            self._at, self._seconds = at, seconds
        self.tell("")
        self.searched(self.sought)

    def searched(self, text: str) -> None:
        """See SearchTab."""
        words = text.lower().split()
        shown = [p for p in self._found if all(w in f"{p.command} {p.user}".lower() for w in words)]
        palette = palette_of(self)
        lines = self.query_one(Lines)
        lines.show(shown, lambda p, on: draw(p, self._used.get(p.pid), lines.size.width, palette, on))


def draw(process: Process, used: float | None, wide: int, palette: Palette, current: bool) -> Line:
    """One process as a row."""
    ground: Ink = "selection" if current else "background"
    plain, quiet = palette.style("text", ground), palette.style("muted", ground)
    tone: Ink = STATES.get(process.state, "muted")  # type: ignore[assignment]
    cells = (
        (str(process.pid), plain),
        (str(process.ppid), quiet),
        (harmless(process.user), quiet),
        (process.state, palette.style(tone, ground)),
        (cores(used), palette.style("text", ground, bold=True)),
        (duration(process.cpu_seconds), quiet),
        (size(process.rss), plain),
        (clock(process.started_at), quiet),
    )
    row = Row()
    for (text, style), w in zip(cells, WIDTHS, strict=True):
        row.add(pad(f" {text}", w, w != 10), style)
    return row.add(clip(f"  {harmless(process.command)}", max(0, wide - row.cells)), plain).segments
