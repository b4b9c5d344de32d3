"""Details of one container: tabs, each made when it is first looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input

from tui.deck.details.changes import Changes
from tui.deck.details.inspect import Inspect
from tui.deck.details.logs import Logs
from tui.deck.details.network import Network
from tui.deck.details.overview import TEN_MINUTES, Overview, seed
from tui.deck.details.processes import Processes
from tui.deck.details.tab import Subject, Tab
from tui.deck.draw.line import Line, Row, cut
from tui.deck.engine_link import Link
from tui.deck.messages import KeyPressed
from tui.deck.past import Past
from tui.deck.store import Store
from tui.deck.theme import palette_of
from tui.deck.widgets.drawn import DrawnLine
from tui.deck.widgets.keybar import KeyBar
from tui.presentation.states import look, status_line
from tui.presentation.text import clip, harmless, width

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

TABS = ("overview", "logs", "processes", "changes", "network", "inspect")
KEYS = (
    ("details.close", "back"),
    ("details.next_tab", "next tab"),
    ("changes.open", "compare"),
    ("changes.reset", "reset"),
    ("changes.commit", "commit"),
    ("changes.snapshot", "snapshot"),
    ("changes.snapshots", "roll back"),
    ("details.search", "search"),
    ("details.next", "next"),
    ("details.again", "look again"),
    ("details.copy", "copy value"),
    ("details.copy_all", "copy all"),
    ("details.limits", "limits"),
    ("list.down", "down"),
    ("app.help", "keys"),
    ("app.quit", "quit"),
)


class DetailsScreen(Screen[None]):
    """Everything about one container, live; says so when that is removed."""

    BINDINGS = [
        *(
            Binding(str(n), f"tab('{name}')", name, id=f"details.{name}", priority=True)
            for n, name in enumerate(TABS, 1)
        ),
        Binding("tab", "turn(1)", "next tab", id="details.next_tab", priority=True),
        Binding("shift+tab", "turn(-1)", "tab before", id="details.previous_tab", priority=True),
        Binding("L", "limits", "limits", id="details.limits"),
        Binding("escape", "dismiss", "back", id="details.close"),
    ]
    CSS = """
    DetailsScreen { layout: vertical; }
    DetailsScreen #body { height: 1fr; }
    """

    def __init__(self, link: Link, store: Store, container_id: str, tab: str = "overview") -> None:
        super().__init__()
        self._subject = Subject(link, store, container_id)
        self._past = Past(TEN_MINUTES)
        self._tabs: dict[str, Tab] = {}
        self._current = tab if tab in TABS else TABS[0]

    def compose(self) -> ComposeResult:
        yield Title(self._subject)
        yield TabBar()
        yield Vertical(id="body")
        yield KeyBar(KEYS)

    async def on_mount(self) -> None:
        deck = cast("DeckApp", self.app)
        deck.changed.subscribe(self, self._changed)
        deck.theme_changed_signal.subscribe(self, lambda _: self._repaint())
        self.bindings_updated_signal.subscribe(self, lambda _: self.query_one(KeyBar).sync())
        await self._open(self._current)
        seed(self._subject, self._past, self._tabs[self._current])

    @property
    def current(self) -> Tab:
        """The tab that is in view."""
        return self._tabs[self._current]

    def _make(self, name: str) -> Tab:
        subject = self._subject
        makers: dict[str, Callable[[], Tab]] = {
            "overview": lambda: Overview(subject, self._past),
            "logs": lambda: Logs(subject),
            "processes": lambda: Processes(subject),
            "changes": lambda: Changes(subject),
            "network": lambda: Network(subject, self._past),
            "inspect": lambda: Inspect(subject),
        }
        return makers[name]()

    async def _open(self, name: str) -> None:
        if name in self._tabs and name == self._current:
            return
        if self._current in self._tabs:
            self.current.display = False
        self._current = name
        if name not in self._tabs:
            self._tabs[name] = self._make(name)
            await self.query_one("#body").mount(self._tabs[name])
        self.current.display = True
        self.current.opened()
        self.current.take_focus()
        self.query_one(TabBar).show(name)

    def _changed(self, store: Store) -> None:
        subject = self._subject
        if store.snapshot is not None and subject.id in store.snapshot.samples:
            self._past.add(store.now, subject.sample, store.snapshot.interval)
        with self.app.batch_update():
            self.query_one(Title).sync()
            if self._current in self._tabs:
                self.current.refresh_now()

    def _repaint(self) -> None:
        for line in self.query(DrawnLine):
            line.sync()
        self.current.opened()

    async def action_tab(self, name: str) -> None:
        await self._open(name)

    async def action_turn(self, by: int) -> None:
        await self._open(TABS[(TABS.index(self._current) + by) % len(TABS)])

    def action_limits(self) -> None:
        if self._subject.container is not None:
            from tui.deck.screens.limits import LimitsScreen

            self.app.push_screen(LimitsScreen(self._subject.link, self._subject.store, self._subject.id))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Digits are tabs where they cannot be typed."""
        if action == "tab":
            return not isinstance(self.focused, Input)
        return True

    async def on_key_pressed(self, message: KeyPressed) -> None:
        focused = self.focused or self
        await self.app.run_action(message.action, default_namespace=focused)


class Title(DrawnLine):
    """Which container it is and how it does."""

    def __init__(self, subject: Subject) -> None:
        super().__init__("title")
        self._subject = subject
        self._called = subject.container.name if subject.container else subject.id[:12]

    def line(self) -> Line:
        """See DrawnLine."""
        palette, wide, store = palette_of(self), self.outer_size.width, self._subject.store
        container = self._subject.container
        quiet = palette.style("muted", "surface")
        row = Row().add(" ", quiet)
        if container is None:
            row.add(f"✕ {harmless(self._called)}", palette.style("failed", "surface", bold=True))
            row.add(" is gone: it was removed; Esc goes back", palette.style("failed", "surface"))
            return cut(row.fill(wide, quiet).segments, wide)
        self._called = container.name
        glyph, tone = look(container.state)
        row.add(f"{glyph} ", palette.style(tone, "surface"))
        row.add(clip(harmless(container.name), wide // 2), palette.style("text", "surface", bold=True))
        row.add(f"  {status_line(container.state, store.now)}", palette.style(tone, "surface"))
        if store.gone:
            row.add(f"  {harmless(store.gone)}", palette.style("failed", "surface"))
        right = f" {harmless(container.image)}  {container.id[:12]} "
        if row.cells + width(right) <= wide:
            row.right(right, wide, quiet)
        return cut(row.fill(wide, quiet).segments, wide)


class TabBar(DrawnLine):
    """The tabs by number and name; a click opens one."""

    def __init__(self) -> None:
        super().__init__("tabs")
        self._current = ""
        self._places: list[tuple[int, int, str]] = []

    def show(self, current: str) -> None:
        """Mark the one in view."""
        self._current = current
        self.sync()

    def line(self) -> Line:
        """See DrawnLine."""
        palette, wide = palette_of(self), self.outer_size.width
        row = Row()
        self._places = []
        for number, name in enumerate(TABS, 1):
            on = name == self._current
            begin = row.cells
            row.add(f" {number} ", palette.style("selected", bold=True))
            style = palette.style("selected", bold=True, reverse=True) if on else palette.style("muted")
            row.add(f" {name} ", style)
            self._places.append((begin, row.cells, name))
        return cut(row.fill(wide, palette.style("muted")).segments, wide)

    async def on_click(self, event: events.Click) -> None:
        for begin, end, name in self._places:
            if begin <= event.x < end:
                self.post_message(KeyPressed(f"screen.tab('{name}')"))
