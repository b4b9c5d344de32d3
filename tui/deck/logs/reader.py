"""The thread behind a log pane: it reads, filters and searches, so that no key ever waits for that.

It knows where in the log the pane is, and hands over one view after the other; the newest replaces one that
was not taken yet. Whatever is asked of it breaks off what it is doing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic
from typing import NamedTuple

import msgspec

from engine.client import EngineClient
from engine.errors import EngineUnavailable, TiffinError
from tui.deck.logs.pages import Book
from tui.deck.logs.pattern import Pattern
from tui.deck.logs.records import Line
from tui.deck.logs.text import Text, shown
from tui.deck.logs.walk import Step, Walk

FASTEST, SLOWEST = 0.1, 0.5  # seconds between two looks at how far a log has grown
IDLE = 4  # the share of time not used: of a flood only so much is shown as a fifth of a core can
TELL = 0.15  # seconds of work after which progress is shown
TEXTS = 1 << 18  # characters of lines made ready to be shown that are kept


class Wish(msgspec.Struct, frozen=True):
    """What is to be shown, and in how much room."""

    container: str = ""
    rows: int = 0
    room: int = 0  # cells of a row for text where lines are wrapped, 0 where they are not
    wanted: Pattern | None = None  # only lines with it
    since: float = 0  # Unix time


class Row(NamedTuple):
    """One row of a view: characters `begin` to `end` of a line."""

    line: Line
    text: Text
    begin: int
    end: int

    @property
    def leads(self) -> bool:
        """Whether it is the line's first."""
        return self.begin == 0


class View(NamedTuple):
    """What a pane shows; the offsets say where in the log that is."""

    container: str = ""
    rows: tuple[Row, ...] = ()
    following: bool = True
    start: int = 0
    top: int = 0
    bottom: int = 0
    end: int = 0
    found: int = -1  # offset of the line that was searched for
    ended: bool = True  # the last row is the log's last
    status: str = ""
    busy: bool = False  # it goes on


class Action(NamedTuple):
    """Something asked for: "move" by rows, "first", "last", "stay", "seek" to a share, "find", "cancel"."""

    verb: str
    amount: float = 0
    pattern: Pattern | None = None


class Interrupted(Exception):
    """Something else is asked for."""


class Reader:
    """Reads one container's log at a time; `tell` is called in its thread when there is a newer view."""

    def __init__(self, client: EngineClient, tell: Callable[[], object]) -> None:
        self._client = client
        self._tell = tell
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._actions: list[Action] = []
        self._wish = Wish()
        self._newest: View | None = None
        self._stopping = False
        # The rest belongs to the thread.
        self._shown = Wish()
        self._walk = Walk(self._book(""))
        self._following = True
        self._top = (0, 0)  # offset of a line, and which of its rows
        self._view = View()
        self._owing = False  # a view that could not be finished
        self._pause = 0.0
        self._told = 0.0
        self._texts: OrderedDict[tuple[int, int], Text] = OrderedDict()
        self._characters = 0

    # ── what any thread may call ────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin; the thread ends with `stop` or with the process."""
        threading.Thread(target=self._run, daemon=True, name="deck-log").start()

    def stop(self) -> None:
        """End; does not wait."""
        self._stopping = True
        self._wake.set()

    def wish(self, **changes: object) -> None:
        """Show something else, or in other room."""
        with self._lock:
            self._wish = msgspec.structs.replace(self._wish, **changes)
        self._wake.set()

    def ask(self, verb: str, amount: float = 0, pattern: Pattern | None = None) -> None:
        """Do something; several moves that wait are one."""
        with self._lock:
            last = self._actions[-1] if self._actions else None
            if last is not None and verb == last.verb == "move":
                self._actions[-1] = Action("move", last.amount + amount)
            else:
                self._actions.append(Action(verb, amount, pattern))
        self._wake.set()

    def take(self) -> View | None:
        """The newest view not taken yet."""
        with self._lock:
            newest, self._newest = self._newest, None
            return newest

    # ── the thread ──────────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._pause if self._shown.container else None)
            self._wake.clear()
            with self._lock:
                wish, actions, self._actions = self._wish, self._actions, []
            begun = self._told = monotonic()
            try:
                if changed := self._attend(wish, actions):
                    self._owing = True
                while actions:
                    self._owing = True
                    self._act(actions[0])
                    actions.pop(0)
                if self._owing:
                    self._show()
                    self._owing = False
            except Interrupted:
                with self._lock:
                    if self._actions:  # asked for something else: a search is over, a way is still to be gone
                        actions = [action for action in actions if action.verb != "find"]
                    self._actions[:0] = actions
                continue
            except EngineUnavailable:
                changed = False  # the deck says so; what was read stays on the screen
            except TiffinError as error:
                changed = False
                self._publish(self._view._replace(status=str(error), busy=False))
            cost = monotonic() - begun
            slower = FASTEST if changed else min(SLOWEST, max(FASTEST, self._pause * 1.5))
            self._pause = max(slower, min(cost * IDLE, 2.0))

    def _attend(self, wish: Wish, actions: list[Action]) -> bool:
        """Take over what is wished for and how far the log reaches; whether the view is another."""
        shown, self._shown = self._shown, wish
        if wish.container != shown.container:
            actions.clear()  # they were about the other
            self._texts.clear()
            self._characters = 0
            self._following, self._top = True, (0, 0)
            self._view = View(wish.container)
            self._walk = Walk(self._book(wish.container))
            if not wish.container:
                self._publish(self._view)
        if not wish.container or not wish.rows:
            return False
        grown = self._walk.book.refresh()
        changed = wish != shown
        if self._walk.wanted != wish.wanted or self._walk.since != wish.since:
            since = wish.since
            floor = self._walk.floor if since == self._walk.since else None
            self._walk = Walk(self._walk.book, wish.wanted, since, floor)
            if shown.since != since:
                self._following = True
        if wish.room != shown.room:
            self._top = (self._top[0], 0)
        return changed or grown

    def _book(self, container: str) -> Book:
        client = self._client
        return Book(partial(client.log_read, container), partial(client.log_extent, container))

    def _act(self, action: Action) -> None:
        walk = self._walk
        match action.verb:
            case "first":
                self._following, self._top = False, (0, 0)
            case "last":
                self._following = True
            case "stay":
                self._following = False
            case "seek":
                self._following = False
                self._top = (walk.start + int(action.amount * (walk.book.end - walk.start)), 0)
            case "move" if action.amount < 0:
                self._up(round(-action.amount))
            case "move":
                self._down(round(action.amount))
            case "find" if action.pattern is not None:
                self._find(action.pattern, action.amount > 0)

    def _up(self, count: int) -> None:
        if not self._view.rows:
            return
        self._following = False
        offset, sub = self._top
        if count <= sub:
            self._top = (offset, sub - count)
            return
        count -= sub
        for line in self._steps(self._walk.backward(offset), "reading"):
            offset, rows = line.offset, len(self._rows(line))
            if count <= rows:
                self._top = (offset, rows - count)
                return
            count -= rows
        self._top = (offset, 0)

    def _down(self, count: int) -> None:
        if self._following:
            return
        skipped = -self._top[1]
        room = self._shown.rows
        top = None
        for line in self._steps(self._walk.forward(self._top[0]), "reading"):
            rows = len(self._rows(line))
            if top is None and skipped + rows > count:
                top = (line.offset, count - skipped)
            skipped += rows
            if top is not None and skipped - count > room:
                self._top = top
                return
        self._following = True  # the end is in view

    def _find(self, pattern: Pattern, forward: bool) -> None:
        view, walk = self._view, self._walk
        seen = [row.line.offset for row in view.rows]
        if view.found in seen:
            origin = view.found + 1 if forward else view.found
        elif not seen:
            return
        else:
            origin = seen[0] if forward else seen[-1] + 1
        lines = walk.forward(origin, pattern) if forward else walk.backward(origin, pattern)
        for line in self._steps(lines, "searching"):
            if not line.note and pattern.matches(line):
                break
        else:
            where = "below" if forward else "above"
            self._view = view._replace(status=f"no “{pattern.text}” {where}")
            return
        self._view = view._replace(found=line.offset, status="")
        self._following = False
        if line.offset not in seen:
            self._top = (line.offset, 0)
            self._up_a_bit()

    def _up_a_bit(self) -> None:
        """Leave a third of the room for what is before the line."""
        left = self._shown.rows // 3
        for step in self._walk.backward(self._top[0]):
            if isinstance(step, int):
                return  # not worth reading another page for
            left -= len(self._rows(step))
            if left < 0:
                return
            self._top = (step.offset, 0)

    def _show(self) -> None:
        """Make the view and hand it over."""
        rows = None if self._following else self._from_top()
        ended = rows is None
        if rows is None:
            rows = self._to_end()
        walk, view = self._walk, self._view
        self._view = View(
            container=self._shown.container,
            rows=tuple(rows),
            following=self._following,
            start=walk.start,
            top=rows[0].line.offset if rows else 0,
            bottom=rows[-1].line.offset if rows else 0,
            end=walk.book.end,
            found=view.found,
            ended=ended,
            status=view.status,
        )
        self._publish(self._view)
        self._view = self._view._replace(status="")

    def _from_top(self) -> list[Row] | None:
        """What stands from the top on; None where that does not fill the room."""
        offset, sub = self._top
        room, rows = self._shown.rows, list[Row]()
        for line in self._steps(self._walk.forward(offset), "filtering", rows):
            rows += self._rows(line)[sub if line.offset == offset else 0 :]
            if len(rows) >= room:
                self._top = (rows[0].line.offset, sub if rows[0].line.offset == offset else 0)
                return rows[:room]
        return None

    def _to_end(self) -> list[Row]:
        """What stands at the end."""
        room, rows = self._shown.rows, list[Row]()
        for line in self._steps(self._walk.backward(self._walk.book.end + 1), "filtering", rows):
            rows[:0] = self._rows(line)
            if len(rows) >= room:
                break
        cut = max(0, len(rows) - room)
        rows = rows[cut:]
        if rows:
            first = rows[0]
            self._top = (first.line.offset, [r.begin for r in self._rows(first.line)].index(first.begin))
        return rows

    def _rows(self, line: Line) -> list[Row]:
        key = (line.offset, len(line.text))
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = shown(line.text)
            self._characters += len(text.plain)
            while self._characters > TEXTS and len(self._texts) > 1:
                self._characters -= len(self._texts.popitem(last=False)[1].plain)
        if not self._shown.room:
            return [Row(line, text, 0, len(text.plain))]
        return [Row(line, text, begin, end) for begin, end in text.wrapped(self._shown.room)]

    def _steps(self, steps: Iterator[Step], doing: str, rows: list[Row] | None = None) -> Iterator[Line]:
        """The lines of a walk; tells how far it is, raises Interrupted where something else is asked for."""
        origin = None
        for step in steps:
            if not isinstance(step, int):
                yield step
                continue
            if self._stopping or self._actions or self._wish is not self._shown:
                raise Interrupted
            origin = step if origin is None else origin
            if monotonic() - self._told > TELL:
                self._told = monotonic()
                whole = self._walk.start if step < origin else self._walk.book.end
                share = (step - origin) / (whole - origin or 1)
                view = self._view._replace(status=f"{doing} {min(share, 1):.0%}", busy=True)
                if rows is not None:
                    view = view._replace(rows=tuple(rows[: self._shown.rows]))
                self._publish(view)

    def _publish(self, view: View) -> None:
        with self._lock:
            waiting = self._newest is not None
            self._newest = view
        if not waiting:
            self._tell()
