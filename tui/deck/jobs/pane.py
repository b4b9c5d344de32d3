"""The running and ended jobs below a list: a row each, and one for each part of those that run."""

from __future__ import annotations

from textual.binding import Binding

from tui.deck.draw.line import Line
from tui.deck.jobs import draw
from tui.deck.jobs.job import Part, View
from tui.deck.jobs.jobs import Jobs
from tui.deck.theme import palette_of
from tui.deck.widgets.lines import Lines

PACE = 0.2  # seconds between two looks at what runs
Item = tuple[View, Part | None]


class JobPane(Lines):
    """Looks at the jobs a few times a second while one runs; without any it takes no row."""

    DEFAULT_CSS = "JobPane { height: auto; max-height: 10; }"
    BINDINGS = [
        Binding("x,delete", "cancel", "cancel", id="jobs.cancel"),
        Binding("c", "clear", "clear ended", id="jobs.clear"),
    ]

    def __init__(self, jobs: Jobs, most: int = 9) -> None:
        super().__init__()
        self._jobs = jobs
        self._most = most
        self._rows: list[Item] = []
        self._chosen = 0  # id of the job that the cursor is on
        self.styles.height = 0
        self.display = False

    def on_mount(self) -> None:
        self.set_interval(PACE, self._look)
        self.sync()

    @property
    def chosen(self) -> int:
        """The job that the cursor is on; 0 without any."""
        return self._rows[self.current][0].id if self.current < len(self._rows) else 0

    def _look(self) -> None:
        if self._jobs.running:
            self.sync()

    def sync(self) -> None:
        """Show them as they are now."""
        kept = self.chosen
        self._rows = [
            item
            for view in self._jobs.views()
            for item in [(view, None), *((view, part) for part in _of_interest(view))]
        ]
        if kept != self.chosen:
            places = [place for place, (view, _) in enumerate(self._rows) if view.id == kept]
            self.current = places[0] if places else 0
        high = min(len(self._rows), self._most)
        if high != (self.size.height if self.display else 0):
            self.styles.height = high
            self.display = bool(high)
        self.show(self._rows, self._line)

    def _line(self, item: Item, current: bool) -> Line:
        view, part = item
        on = current and self.has_focus
        if part is None:
            return draw.job(view, self.room, palette_of(self), on)
        return draw.part(part, self.room, palette_of(self), on)

    def action_cancel(self) -> None:
        self._jobs.cancel(self.chosen)
        self.sync()

    def action_clear(self) -> None:
        self._jobs.clear()
        self.sync()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()


def _of_interest(view: View) -> tuple[Part, ...]:
    """What moves first, then what waits; nothing of a job that has ended."""
    if view.state != "runs":
        return ()
    return tuple(sorted(view.parts, key=lambda part: (part.finished, not part.done)))
