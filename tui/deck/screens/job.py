"""All of one long work: every part of it, and what it says, followed while it grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen

from tui.deck.draw.line import Line, Row, cut
from tui.deck.jobs import draw
from tui.deck.jobs.job import View
from tui.deck.jobs.jobs import Jobs
from tui.deck.jobs.pane import PACE
from tui.deck.messages import KeyPressed
from tui.deck.theme import palette_of
from tui.deck.widgets.drawn import DrawnLine
from tui.deck.widgets.keybar import KeyBar
from tui.deck.widgets.lines import Lines
from tui.presentation.text import harmless

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

KEYS = (
    ("jobs.close", "back, it goes on"),
    ("jobs.cancel", "cancel"),
    ("jobs.follow", "follow"),
    ("list.down", "down"),
    ("app.help", "keys"),
    ("app.quit", "quit"),
)
SHARE = 45  # percent of the height that its parts get at most where it has output


class JobScreen(Screen[None]):
    """Looks at the job a few times a second; leaving it does not end the job."""

    BINDINGS = [
        Binding("escape", "dismiss", "back, it goes on", id="jobs.close"),
        Binding("x", "cancel", "cancel", id="jobs.cancel"),
        Binding("f", "follow", "follow what it says", id="jobs.follow"),
    ]
    CSS = "JobScreen { layout: vertical; } JobScreen Output { height: 1fr; }"

    def __init__(self, jobs: Jobs, id: int) -> None:
        super().__init__()
        self._jobs = jobs
        self._job = jobs.job(id)
        self._lines = -1  # of output that are shown
        self._follows = True
        self._seen: View | None = None

    def compose(self) -> ComposeResult:
        yield Title()
        yield Parts(cursor=False)
        yield Output(cursor=False)
        yield KeyBar(KEYS)

    def on_mount(self) -> None:
        deck = cast("DeckApp", self.app)
        deck.theme_changed_signal.subscribe(self, lambda _: self._look())
        self.bindings_updated_signal.subscribe(self, lambda _: self.query_one(KeyBar).sync())
        self.set_interval(PACE, self._look)
        self.query_one(Output).focus()
        self._look()

    def on_resize(self) -> None:
        self._seen = None
        self.call_after_refresh(self._look)

    def _look(self) -> None:
        """Show what is new since the last look."""
        if self._job is None or not self.is_mounted:
            return
        view = self._job.view()
        self.query_one(Title).show(view)
        if view != self._seen:
            self._seen = view
            parts, palette = self.query_one(Parts), palette_of(self)
            most = self.size.height * SHARE // 100 if view.lines else self.size.height - 3
            parts.styles.height = max(1, min(len(view.parts), most))
            parts.show(view.parts, lambda one, on: draw.part(one, parts.room, palette, on))
            running = [place for place, one in enumerate(view.parts) if not one.finished and one.status]
            if self._follows and running:
                parts.scroll_to(y=max(0, running[0] - 1), animate=False)
        output = self.query_one(Output)
        if view.lines != self._lines:
            self._lines = view.lines
            text = self._job.output()
            output.show(text, self._line, max(map(len, text), default=0) + 2)

        if (
            self._follows and output.scroll_offset.y < output.max_scroll_y
        ):  # how high it is shows a look later
            output.scroll_to(y=output.max_scroll_y, animate=False)

    def _line(self, text: str, current: bool) -> Line:
        palette = palette_of(self)
        inside = text.startswith("  ")
        return (
            Row()
            .add(f" {harmless(text)}", palette.style("muted" if inside else "text", bold=not inside))
            .segments
        )

    def action_cancel(self) -> None:
        if self._job is not None and self._job.runs:
            self._jobs.cancel(self._job.id)
            self._look()

    def action_follow(self) -> None:
        self._follows = not self._follows
        self.notify("following" if self._follows else "standing still")
        self._lines = -1
        self._look()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is nothing to cancel once it has ended."""
        return action != "cancel" or (self._job is not None and self._job.runs)

    async def on_key_pressed(self, message: KeyPressed) -> None:
        await self.app.run_action(message.action, default_namespace=self.focused or self)


class Parts(Lines, can_focus=False):
    """Its parts."""


class Output(Lines):
    """What it says."""


class Title(DrawnLine):
    """What it is and how far."""

    def __init__(self) -> None:
        super().__init__("title")
        self._view: View | None = None

    def show(self, view: View) -> None:
        """Take what is to be shown."""
        self._view = view
        self.sync()

    def line(self) -> Line:
        """See DrawnLine."""
        palette, wide = palette_of(self), self.outer_size.width
        if self._view is None:
            return []
        return cut(draw.job(self._view, wide, palette, False), wide)
