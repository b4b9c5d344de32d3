"""The log pane: output of one container, live."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.message import Message
from textual.widget import Widget

from engine.errors import BadRequest, TiffinError
from tui.deck.background import Background
from tui.deck.engine_link import Link
from tui.deck.logs import saving
from tui.deck.logs.draw import Look
from tui.deck.logs.lines import LogLines
from tui.deck.logs.pages import Book
from tui.deck.logs.pattern import Pattern
from tui.deck.logs.prompt import Prompt
from tui.deck.logs.reader import Reader, View
from tui.deck.logs.title import LogTitle, Told
from tui.deck.logs.walk import Walk
from tui.deck.messages import Notice
from tui.deck.theme import palette_of
from tui.presentation.quantities import size

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

SIDEWAYS = 20  # cells
SINCE = (0, 60, 300, 900, 1800, 3600, 86400)  # seconds, by key
SINCE_WORDS = ("", "last minute", "last 5 min", "last 15 min", "last 30 min", "last hour", "last day")


class LogPane(Widget, can_focus=True):
    """Follows the output of one container at a time."""

    DEFAULT_CSS = "LogPane { layout: vertical; }"
    BINDINGS = [
        Binding("slash", "ask('search')", "search", id="logs.search"),
        Binding("n", "find(True)", "next", id="logs.next"),
        Binding("N", "find(False)", "previous", id="logs.previous"),
        Binding("ampersand", "ask('filter')", "filter", id="logs.filter"),
        Binding("f", "follow", "follow", id="logs.follow"),
        Binding("t", "times", "time", id="logs.times"),
        Binding("w", "wrap", "wrap", id="logs.wrap"),
        Binding("ctrl+s", "ask('save')", "save", id="logs.save"),
        Binding("y", "copy", "copy selected text", id="logs.copy", show=False),
        *(
            Binding(str(n), f"since({n})", word or "all of it", id=f"logs.since_{n}", show=False)
            for n, word in enumerate(SINCE_WORDS)
        ),
        Binding("up,k", "move(-1)", "row up", id="logs.up", show=False),
        Binding("down,j", "move(1)", "row down", id="logs.down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "page up", id="logs.pageup", show=False),
        Binding("pagedown,ctrl+d,space", "page(1)", "page down", id="logs.pagedown", show=False),
        Binding("home,g", "go('first')", "first line", id="logs.first", show=False),
        Binding("end,G", "go('last')", "last line", id="logs.last", show=False),
        Binding("left", "aside(-1)", "to the left", id="logs.left", show=False),
        Binding("right", "aside(1)", "to the right", id="logs.right", show=False),
        Binding("escape", "leave", "leave search or filter", id="logs.leave", show=False),
    ]

    class Ready(Message):
        """A newer view waits."""

    class Saving(Message):
        """How far a log is saved: a share, or -1 when that is over."""

        def __init__(self, share: float) -> None:
            super().__init__()
            self.share = share

    def __init__(self, link: Link) -> None:
        super().__init__(id="logs")
        self._link = link
        self._container = ""
        self._tty = False
        self._reader = Reader(link.client, lambda: self.post_message(self.Ready()))
        self._view = View()
        self._times = True
        self._wrap = True
        self._left = 0
        self._since = 0  # the key of the window
        self._since_time = 0.0  # where it begins; 0 for no window
        self._sought: Pattern | None = None
        self._wanted: Pattern | None = None
        self._saving = -1.0
        self._whole = False  # save all lines though a filter is on
        self._told = ""  # what the reader said last
        self._background = Background()

    def compose(self) -> ComposeResult:
        yield LogTitle()
        yield LogLines()
        yield Prompt()

    def on_mount(self) -> None:
        self._lines = self.query_one(LogLines)
        self._title = self.query_one(LogTitle)
        self._prompt = self.query_one(Prompt)
        self._reader.start()

    def on_unmount(self) -> None:
        self._saving = -1.0
        self._reader.stop()

    @property
    def view(self) -> View:
        """What is on the screen."""
        return self._view

    def show(self, container_id: str, tty: bool) -> None:
        """Follow another container; "" for none."""
        if container_id == self._container:
            return
        self._container, self._tty = container_id, tty
        self._since = self._left = 0
        self._since_time = 0.0
        self._wanted = None
        self._reader.wish(container=container_id, wanted=None, since=0.0)
        if self.is_mounted:
            self._close_prompt()
            self._draw()

    # ── what comes from the reader and the parts ────────────────────────────────────────────────────────────

    def on_log_pane_ready(self) -> None:
        view = self._reader.take()
        if view is None or view.container != self._container:
            return
        self._view = view
        if view.busy or view.status:
            self._told = view.status
        elif self._told.endswith("%"):
            self._told = ""
        self._draw()

    def _draw(self) -> None:
        """Bring the parts up to date; each repaints only where it differs."""
        found = self._view.found if self._sought is not None else -1
        view = self._view if self._view.container == self._container else View(self._container)
        self._lines.show(view, Look(palette_of(self), self._times, self._left, self._sought, found))
        self._title.show(self._what_to_tell())

    def _what_to_tell(self) -> Told:
        container = cast("DeckApp", self.app).store.containers.get(self._container)
        view = self._view
        part = (view.top - view.start) / max(1, view.end - view.start)
        place = "at the end" if view.ended else f"at {min(max(part, 0), 1):.0%}"
        notes = ["following" if view.following else place]
        if self._tty:
            notes.append("terminal")
        if self._since:
            notes.append(SINCE_WORDS[self._since])
        if self._wanted is not None:
            notes.append(f"only “{self._wanted.text}”")
        elif self._sought is not None:
            notes.append(f"search “{self._sought.text}”")
        if self._saving >= 0:
            notes.append(f"saving {self._saving:.0%}")
        return Told(
            container.name if container else "",
            tuple(notes),
            self._told,
            self.has_focus_within or self.has_focus,
        )

    def on_log_lines_resized(self) -> None:
        self._make_room()

    def _make_room(self) -> None:
        room = self._lines.room(self._times)
        self._reader.wish(rows=room.height, room=room.width if self._wrap else 0)

    def on_log_lines_scrolled(self, message: LogLines.Scrolled) -> None:
        self.action_move(message.rows)

    def on_log_lines_sought(self, message: LogLines.Sought) -> None:
        if message.share >= 1:
            self._reader.ask("last")
        else:
            self._reader.ask("seek", message.share)

    def on_log_lines_selecting(self) -> None:
        if self._view.following:
            self._reader.ask("stay")

    def on_focus(self) -> None:
        self._draw()

    def on_blur(self) -> None:
        self._draw()

    # ── moving ──────────────────────────────────────────────────────────────────────────────────────────────

    def action_move(self, rows: int) -> None:
        self._told = ""
        self._reader.ask("move", rows)

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self._lines.size.height - 1))

    def action_go(self, where: str) -> None:
        self._told = ""
        self._reader.ask(where)

    def action_follow(self) -> None:
        self._told = ""
        self._reader.ask("stay" if self._view.following else "last")

    def action_aside(self, steps: int) -> None:
        if not self._wrap:
            self._left = max(0, self._left + steps * SIDEWAYS)
            self._draw()

    def action_times(self) -> None:
        self._times = not self._times
        self._make_room()
        self._draw()

    def action_wrap(self) -> None:
        self._wrap = not self._wrap
        self._left = 0
        self._make_room()
        self._draw()

    def action_since(self, key: int) -> None:
        self._since = key
        self._since_time = time.time() - SINCE[key] if key else 0.0
        self._reader.wish(since=self._since_time)
        self._draw()

    def action_copy(self) -> None:
        text = self.screen.get_selected_text()
        if text:
            self.app.copy_to_clipboard(text)
            self.notify("copied", timeout=2)
        else:
            self.notify("select text with the mouse first", timeout=2)

    # ── search, filter, save ────────────────────────────────────────────────────────────────────────────────

    def action_ask(self, kind: str) -> None:
        if kind == "search":
            self._prompt.ask("search", "search", "")
        elif kind == "filter":
            self._prompt.ask("filter", "only lines with", self._wanted.text if self._wanted else "")
        elif self._prompt.asking and self._prompt.kind == "save":
            self._whole = not self._whole and self._wanted is not None
            self._prompt.label(self._save_label())
        elif self._container:
            self._whole = False
            self._prompt.ask("save", self._save_label(), str(Path.cwd() / self._file_name()))

    def _save_label(self) -> str:
        if self._wanted is None:
            return "save the whole log to" if not self._since else f"save {SINCE_WORDS[self._since]} to"
        if self._whole:
            return "save the whole log to (^s: only what matches)"
        return f"save lines with “{self._wanted.text}” to (^s: all)"

    def _file_name(self) -> str:
        container = cast("DeckApp", self.app).store.containers.get(self._container)
        name = container.name if container else self._container[:12]
        return f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.log"

    def on_prompt_typed(self, message: Prompt.Typed) -> None:
        if message.kind == "filter":
            self._filter(message.text)
        elif message.kind == "search":
            self._sought = Pattern(message.text) if message.text else None
            self._draw()

    def on_prompt_entered(self, message: Prompt.Entered) -> None:
        if message.kind == "save":
            try:
                self._save(Path(message.text).expanduser())
            except (TiffinError, RuntimeError) as error:  # RuntimeError: no such user's home
                self.notify(str(error), severity="error")
                return
        self._close_prompt()
        if message.kind == "search" and self._sought is not None:
            self.action_find(not self._view.following)

    def on_prompt_left(self, message: Prompt.Left) -> None:
        self._close_prompt()
        if message.kind == "filter":
            self._filter(message.text)
        elif message.kind == "search":
            self._sought = None
            self._draw()

    def _close_prompt(self) -> None:
        if self._prompt.asking:
            self._prompt.close()
            self.focus()

    def _filter(self, text: str) -> None:
        self._wanted = Pattern(text) if text else None
        self._reader.wish(wanted=self._wanted)
        self._draw()

    def action_find(self, forward: bool) -> None:
        self._told = ""
        if self._sought is None:
            self.action_ask("search")
        else:
            self._reader.ask("find", 1 if forward else -1, self._sought)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Esc is this pane's while there is something to leave."""
        if action == "leave":
            return bool(self._view.busy or self._saving >= 0 or self._wanted or self._sought)
        return True

    def action_leave(self) -> None:
        """Break off what goes on, or take away the filter, or what was searched for: one at a time."""
        if self._saving >= 0:
            self._saving = -1.0
        elif self._view.busy and self._told.startswith("searching"):
            self._reader.ask("cancel")
        elif self._wanted is not None:
            self._filter("")
        else:
            self._sought = None
        self._told = ""
        self._draw()

    def _save(self, path: Path) -> None:
        """Save in a thread of its own; says how it ended."""
        if self._saving >= 0:
            raise BadRequest("a log is being saved", "wait for it, or break it off with Esc")
        saving.check(path)
        client, container = self._link.client, self._container
        wanted = None if self._whole else self._wanted
        since = self._since_time
        times, app = self._times, cast("DeckApp", self.app)
        self._saving = 0.0

        def proceed(share: float) -> bool:
            self.post_message(self.Saving(min(1.0, share)))
            return self._saving >= 0

        def work() -> None:
            try:
                book = Book(partial(client.log_read, container), partial(client.log_extent, container))
                book.refresh()
                lines, count = saving.save(Walk(book, wanted, since), path, times, proceed)
                app.post_message(Notice(f"saved {lines:,} lines ({size(count)}) to {path}"))
            except saving.Stopped:
                app.post_message(Notice("not saved"))
            except TiffinError as error:
                app.post_message(Notice(str(error), "error"))
            finally:
                self.post_message(self.Saving(-1.0))

        self._background.run(work)

    def on_log_pane_saving(self, message: LogPane.Saving) -> None:
        if message.share < 0 or self._saving >= 0:
            self._saving = message.share
        self._draw()
