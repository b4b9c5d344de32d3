"""The main screen: host strip, banner, panes or table, log pane, keys."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Input

from engine.model import ContainerSummary
from tui.deck import keys, messages, welcome
from tui.deck.actions import Actions
from tui.deck.alerts import Alert, alert
from tui.deck.draw import rows
from tui.deck.draw.pane import LEAST_HEIGHT
from tui.deck.engine_link import Link
from tui.deck.jobs import draw as jobs
from tui.deck.logs.pane import LogPane
from tui.deck.ordering import Ordering
from tui.deck.screens.acting import ActingScreen
from tui.deck.selection import GAUGES, Selection
from tui.deck.store import ALIVE, Store
from tui.deck.tails import Tails
from tui.deck.widgets.banner import Banner
from tui.deck.widgets.host import HostStrip
from tui.deck.widgets.keybar import KeyBar
from tui.deck.widgets.layout import LEAST_WIDTH, MOST_HEIGHT
from tui.deck.widgets.panes import PaneGrid
from tui.deck.widgets.table import ContainerTable

LEAST_LOGS = 5  # rows
SHARE = 62  # percent of the height that containers get where both they and output want more


class MainScreen(ActingScreen):
    """Where the deck opens, and where Esc leads back to."""

    BINDINGS = keys.MAIN

    def __init__(self, link: Link, store: Store, selection: Selection, actions: Actions) -> None:
        super().__init__(link, store, selection, actions)
        self._ordering = Ordering()
        self._filter = ""
        self._shown = ""  # whose output the log pane shows
        self._table_view = False
        self._logs_only = False
        self._welcome_hidden = False
        self._drawn_seq = 0  # of the snapshot that is on the screen
        self._logs_height = ""

    def compose(self) -> ComposeResult:
        yield HostStrip(self._store)
        yield Banner()
        yield PaneGrid(self._store, self._selection)
        yield ContainerTable(self._store, self._selection)
        yield Input(placeholder="name, image or state", id="filter", compact=True)
        yield LogPane(self._link)
        yield KeyBar()

    def on_mount(self) -> None:
        self.host = self.query_one(HostStrip)
        self.banner = self.query_one(Banner)
        self.panes = self.query_one(PaneGrid)
        self.table = self.query_one(ContainerTable)
        self.logs = self.query_one(LogPane)
        self.keybar = self.query_one(KeyBar)
        self.query_one("#filter").display = False
        self._set_view(self.deck.settings.view == "table")
        self.deck.changed.subscribe(self, self._changed)
        self.deck.theme_changed_signal.subscribe(self, lambda _: self.sync())
        self.bindings_updated_signal.subscribe(self, lambda _: self.keybar.sync())
        self.view.focus()
        later = self.deck.call_later  # taken here: a thread has no app of its own
        self._tails = Tails(self._link, lambda fresh: later(self._tailed, fresh))
        self._tails.start()
        if self.deck.settings.view == "tree":
            self.action_tree()

    @property
    def view(self) -> PaneGrid | ContainerTable:
        """The one of the two views that is on."""
        return self.table if self._table_view else self.panes

    @property
    def view_name(self) -> str:
        """Which that is, in the settings' words."""
        return "table" if self._table_view else "panes"

    # ── bringing the screen up to the store ─────────────────────────────────────────────────────────────────

    def _changed(self, store: Store) -> None:
        with self.app.batch_update():
            self.sync()
        snapshot = store.snapshot
        if snapshot is not None and snapshot.seq != self._drawn_seq:
            self._drawn_seq = snapshot.seq
            self._want_tails()

    def _want_tails(self) -> None:
        self._tails.want(self.panes.with_tails() if self.panes.display else [])

    def _tailed(self, fresh: dict[str, list[str]]) -> None:
        self._store.tailed(fresh)
        self.panes.sync()

    def sync(self) -> None:
        """Show what the store has now; every widget repaints only what differs."""
        store, selection = self._store, self._selection
        matching = [c.id for c in store.containers.values() if self._matches(c)]
        order = self._order(matching)
        selection.reconcile(order, store.containers.keys())
        self._share_out(order)
        self.panes.empty_text = self._why_empty()
        self.host.sync()
        self.banner.show(self._banner())
        self.view.sync()
        self._follow()

    def _order(self, ids: list[str]) -> list[str]:
        containers = self._store.containers
        if not self._table_view:
            return self.panes.show(sorted(ids, key=lambda id: (containers[id].created_at, id)))
        column = rows.BY_KEY[self.table.sort]
        store = self._store

        def value(id: str) -> tuple[object, str]:
            view = rows.RowView(
                containers[id], store.sample(id), store.traces.get(id, rows.NOTHING), store.host, store.now
            )
            return column.value(view), containers[id].name

        order = self._ordering.update(ids, store.now, value, self.table.descending)
        self.table.show(order)
        return list(order)

    def _matches(self, container: ContainerSummary) -> bool:
        if not self._filter:
            return True
        text = f"{container.name} {container.image} {container.state.status} {container.id}".lower()
        return all(word in text for word in self._filter.lower().split())

    def _why_empty(self) -> str:
        if self._store.snapshot is None:
            return self._store.gone or "asking the engine …"
        if self._filter and self._store.containers:
            return f"nothing matches “{self._filter}” · Esc shows all"
        return "no containers yet · n makes one, or in a shell: tiffin run host COMMAND"

    def _banner(self) -> Alert:
        store = self._store
        pressing = alert(store)
        if (pressing is None or pressing.tone == "stalled") and not self._welcome_hidden:
            pressing = welcome.alert(store.containers.values()) or pressing
        return pressing or Alert(self._counts(), "text")

    def _counts(self) -> str:
        store = self._store
        running = sum(1 for c in store.containers.values() if c.state.status in ALIVE)
        counts = f"{running} running · {len(store.containers) - running} stopped" if store.snapshot else ""
        marked = f" · {len(self._selection.marked)} marked" if self._selection.marked else ""
        under_way = jobs.summary(self.deck.jobs.views())
        more = marked + (f" · {under_way}" if under_way else "")
        return counts + more + (" · read-only" if self.deck.read_only else "")

    def _share_out(self, order: list[str]) -> None:
        """Divide the height between containers and output."""
        spare = self.size.height - 3 - (1 if self.query_one("#filter").display else 0)
        if self._table_view:
            least = most = len(order) + 1
        else:
            alive = sum(1 for id in order if self._store.containers[id].state.status in ALIVE)
            grid_rows = -(-alive // max(1, self.size.width // LEAST_WIDTH))
            rest = len(order) - alive
            least, most = grid_rows * LEAST_HEIGHT + rest, grid_rows * MOST_HEIGHT + rest
        room = max(min(least, spare - LEAST_LOGS), min(most, spare * SHARE // 100), 4)
        wanted = "1fr" if self._logs_only else str(max(LEAST_LOGS, spare - room))
        if self._logs_height != wanted:
            self._logs_height = wanted
            self.logs.styles.height = wanted

    def _follow(self) -> None:
        """Let log pane and key bar be about the selected container."""
        if self._selection.current != self._shown:
            self._shown = self._selection.current
            container = self._store.containers.get(self._shown)
            self.logs.show(self._shown, container.tty if container else False)
        self._name_keys()

    def _name_keys(self) -> None:
        """Name the keys by what they would do now."""
        container = self.current()
        running = container is not None and container.state.status in (*ALIVE, "restarting")
        paused = container is not None and container.state.status == "paused"
        self.keybar.words = {
            "container.start_stop": "stop" if running else "start",
            "container.pause": "resume" if paused else "pause",
            "view.toggle": "host" if self._table_view else "table",
        }
        self.keybar.sync()

    def on_resize(self) -> None:
        if self.is_mounted:
            self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        self.sync()
        self._want_tails()

    # ── moving and choosing ─────────────────────────────────────────────────────────────────────────────────

    def action_move(self, where: str) -> None:
        selection = self._selection
        match where:
            case "next" | "previous":
                selection.move(1 if where == "next" else -1)
            case "up" | "down" if self._table_view:
                selection.move(1 if where == "down" else -1)
            case "up" | "down":
                selection.select(self.panes.neighbour(where == "down"))
            case "left" | "right":
                place = GAUGES.index(selection.gauge) + (1 if where == "right" else -1)
                selection.gauge = GAUGES[place % len(GAUGES)]
            case "pageup" | "pagedown":
                page = self.table.page() if self._table_view else 4
                selection.move(page if where == "pagedown" else -page)
            case "first" | "last":
                selection.move(len(selection.order) * (1 if where == "last" else -1))
        self._moved()

    def _moved(self) -> None:
        with self.app.batch_update():
            self.view.reveal()
            self.view.sync()
            self._follow()

    def action_mark(self) -> None:
        self._selection.mark()
        self._selection.move(1)
        self.banner.show(self._banner())
        self._moved()

    def on_picked(self, message: messages.Picked) -> None:
        self._selection.select(message.id)
        if message.gauge is not None:
            self._selection.gauge = message.gauge
        self._moved()

    def on_opened(self, message: messages.Opened) -> None:
        self._selection.select(message.id)
        self.action_details()

    # ── views ───────────────────────────────────────────────────────────────────────────────────────────────

    def _set_view(self, table: bool) -> None:
        self._table_view = table
        self._show_parts()
        self._ordering.hurry()
        if self.is_mounted:
            self.sync()
            self.call_after_refresh(self._moved)

    def _show_parts(self) -> None:
        self.table.display = self._table_view and not self._logs_only
        self.panes.display = not self._table_view and not self._logs_only

    def action_toggle_view(self) -> None:
        if self._table_view:
            self.action_tree()
        else:
            self.action_view("table")

    def action_tree(self) -> None:
        from tui.deck.screens.tree import TreeScreen

        self.app.push_screen(TreeScreen(self._link, self._store, self._actions, self.deck.host_tree))
        self.deck.remember(view="tree")

    def action_view(self, name: str) -> None:
        self._logs_only = False
        self._set_view(name == "table")
        self.view.focus()
        self.deck.remember(view=name)

    def action_logs(self) -> None:
        self._logs_only = not self._logs_only
        self._show_parts()
        self.sync()
        (self.logs if self._logs_only else self.view).focus()

    def action_demos(self) -> None:
        from tui.deck.screens.demos import DemosScreen

        self.app.push_screen(DemosScreen(self._link))

    def action_sort(self, step: int) -> None:
        if not self._table_view:
            return
        shown = self.table.columns()
        place = shown.index(self.table.sort) if self.table.sort in shown else 0
        self._sort_by(shown[(place + step) % len(shown)])

    def on_sort_by(self, message: messages.SortBy) -> None:
        if message.column == self.table.sort:
            self.action_invert()
        else:
            self._sort_by(message.column)

    def _sort_by(self, column: str) -> None:
        self.table.sort = column
        self.table.descending = rows.BY_KEY[column].right  # the largest figures first, names from a
        self._ordering.hurry()
        self.sync()
        self._moved()

    def action_invert(self) -> None:
        self.table.descending = not self.table.descending
        self._ordering.hurry()
        self.sync()
        self._moved()

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()
        self.sync()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._filter = event.value
        self._ordering.hurry()
        self.sync()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.input.display = bool(self._filter)
        self.view.focus()
        self.sync()

    def action_back(self) -> None:
        """Undo the last thing that narrowed the view; never quits."""
        field = self.query_one("#filter", Input)
        if self._logs_only:
            self.action_logs()
        elif field.display:
            field.value = ""
            field.display = False
            self.view.focus()
            self.sync()
        elif self._selection.marked:
            self._selection.marked.clear()
            self.sync()
        elif self.focused is not self.view:
            self.view.focus()
        elif welcome.alert(self._store.containers.values()):
            self._welcome_hidden = True
            self.sync()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """See ActingScreen; a table's keys are there with the table."""
        if action in ("sort", "invert"):
            return self._table_view
        return super().check_action(action, parameters)

    async def on_key_pressed(self, message: messages.KeyPressed) -> None:
        await self.run_action(message.action)
