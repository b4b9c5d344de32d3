"""The main screen: host strip, banner, panes or table, log pane, keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Input

from engine.model import ContainerSummary
from tui.deck import keys, messages, welcome
from tui.deck.actions import Actions, Verb
from tui.deck.alerts import Alert, alert
from tui.deck.draw import rows
from tui.deck.engine_link import Link
from tui.deck.logs.pane import LogPane
from tui.deck.ordering import Ordering
from tui.deck.screens.confirm import Confirm
from tui.deck.selection import GAUGES, Selection
from tui.deck.store import Store
from tui.deck.tails import Tails
from tui.deck.terminal import in_terminal
from tui.deck.widgets.banner import Banner
from tui.deck.widgets.host import HostStrip
from tui.deck.widgets.keybar import KeyBar
from tui.deck.widgets.layout import LEAST_WIDTH, MOST_HEIGHT
from tui.deck.widgets.panes import PaneGrid
from tui.deck.widgets.table import ContainerTable
from tui.presentation.text import harmless

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

ALIVE = ("running", "paused")
FLASH = 0.6  # seconds
LEAST_LOGS = 5  # rows


class MainScreen(Screen[None]):
    """Where the deck opens, and where Esc leads back to."""

    BINDINGS = keys.MAIN

    def __init__(self, link: Link, store: Store, selection: Selection, actions: Actions) -> None:
        super().__init__()
        self._link = link
        self._store = store
        self._selection = selection
        self._actions = actions
        self._ordering = Ordering()
        self._filter = ""
        self._shown = ""  # whose output the log pane shows
        self._table_view = False
        self._logs_only = False
        self._welcome_hidden = False
        self._tails = Tails(link, lambda fresh: self.app.call_later(self._tailed, fresh))
        self._drawn_seq = 0  # of the snapshot that is on the screen

    @property
    def deck(self) -> DeckApp:
        """The app, as what it is."""
        return cast("DeckApp", self.app)

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
        self._tails.start()

    @property
    def view(self) -> PaneGrid | ContainerTable:
        """The one of the two views that is on."""
        return self.table if self._table_view else self.panes

    # ── bringing the screen up to the store ─────────────────────────────────────────────────────────────────

    def _changed(self, store: Store) -> None:
        with self.app.batch_update():
            self.sync()
        snapshot = store.snapshot
        if snapshot is not None and snapshot.seq != self._drawn_seq:
            self._drawn_seq = snapshot.seq
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
        text = f"{container.name} {container.image} {container.state.status} {container.id}".lower()
        return all(word in text for word in self._filter.lower().split())

    def _why_empty(self) -> str:
        if self._store.snapshot is None:
            return self._store.gone or "asking the engine …"
        if self._filter and self._store.containers:
            return f"nothing matches “{self._filter}” · Esc shows all"
        return "no containers yet · n makes one, or on the command line: tiffin run host -- COMMAND"

    def _banner(self) -> Alert:
        store = self._store
        pressing = alert(store)
        if (pressing is None or pressing.tone == "stalled") and not self._welcome_hidden:
            pressing = welcome.alert(store.containers.values()) or pressing
        if pressing is not None:
            return pressing
        running = sum(1 for c in store.containers.values() if c.state.status in ALIVE)
        counts = f"{running} running · {len(store.containers) - running} stopped" if store.snapshot else ""
        marked = f" · {len(self._selection.marked)} marked" if self._selection.marked else ""
        return Alert(counts + marked + (" · read-only" if self.deck.read_only else ""), "text")

    def _share_out(self, order: list[str]) -> None:
        """Divide the height between containers and output."""
        spare = self.size.height - 3 - (1 if self.query_one("#filter").display else 0)
        if self._table_view:
            least = most = len(order) + 1
        else:
            alive = sum(1 for id in order if self._store.containers[id].state.status in ALIVE)
            grid_rows = -(-alive // max(1, self.size.width // LEAST_WIDTH))
            least, most = grid_rows * 8 + len(order) - alive, grid_rows * MOST_HEIGHT + len(order) - alive
        room = max(min(least, spare - LEAST_LOGS - 1), min(most, spare * 62 // 100), 4)
        wanted = "1fr" if self._logs_only else str(max(LEAST_LOGS, spare - room))
        if self._logs_height != wanted:
            self._logs_height = wanted
            self.logs.styles.height = wanted

    _logs_height = ""

    def _follow(self) -> None:
        """Let the log pane show the selected container."""
        if self._selection.current != self._shown:
            self._shown = self._selection.current
            container = self._store.containers.get(self._shown)
            self.logs.show(self._shown, container.tty if container else False)
        self.refresh_words()

    def refresh_words(self) -> None:
        """Name the keys by what they would do now."""
        container = self._current()
        running = container is not None and container.state.status in ("running", "paused", "restarting")
        paused = container is not None and container.state.status == "paused"
        self.keybar.words = {
            "container.start_stop": "stop" if running else "start",
            "container.pause": "resume" if paused else "pause",
            "view.toggle": "panes" if self._table_view else "table",
        }
        self.keybar.sync()

    def on_resize(self) -> None:
        if self.is_mounted:
            self.call_after_refresh(self.sync)

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
        self.action_view("panes" if self._table_view else "table")

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

    # ── acting ──────────────────────────────────────────────────────────────────────────────────────────────

    def _current(self) -> ContainerSummary | None:
        return self._store.containers.get(self._selection.current)

    def _targets(self) -> list[ContainerSummary]:
        """What an acting key acts on; nothing where it is refused, with the reason said."""
        if self.deck.refuses():
            return []
        containers = self._store.containers
        targets = [containers[id] for id in self._selection.targets() if id in containers]
        if not targets:
            self.notify("there is no container selected", severity="warning")
        return targets

    def action_start_stop(self) -> None:
        for target in self._targets():
            self._actions.act("start" if _at_rest(target) else "stop", target.id)

    def action_restart(self) -> None:
        for target in self._targets():
            self._actions.act("restart", target.id)

    def action_pause(self) -> None:
        for target in self._targets():
            self._actions.act("unpause" if target.state.status == "paused" else "pause", target.id)

    def action_kill(self) -> None:
        self._confirmed("kill", [target for target in self._targets() if not _at_rest(target)], "Kill {}?")

    def action_remove(self) -> None:
        self._confirmed("remove", self._targets(), "Remove {} with what it changed and wrote?")

    def _confirmed(self, verb: Verb, targets: list[ContainerSummary], question: str) -> None:
        if not targets:
            return
        names = ", ".join(harmless(target.name) for target in targets[:5])
        names += f" and {len(targets) - 5} more" if len(targets) > 5 else ""
        running = sum(1 for target in targets if not _at_rest(target))
        text = question.format(names)
        if verb == "remove" and running:
            text += (
                "\nIt is running and will be killed."
                if len(targets) == 1
                else f"\n{running} of them run and will be killed."
            )

        def answered(yes: bool | None) -> None:
            if yes:
                self._selection.marked.clear()
                for target in targets:
                    self._actions.act(verb, target.id)

        self.app.push_screen(Confirm(text, verb), answered)

    def action_turn(self, up: bool) -> None:
        container = self._current()
        if container is None or self.deck.refuses():
            return
        gauge = self._selection.gauge
        if self._actions.turn(container.id, gauge, up):
            self._flash(container.id, True)
            self.set_timer(FLASH, lambda: self._flash(container.id, False))
        else:
            end = "it has no limit" if up else "it cannot be lower"
            self.notify(f"{container.name}: {gauge}: {end}", timeout=2)

    def _flash(self, id: str, on: bool) -> None:
        (self._selection.flashing.add if on else self._selection.flashing.discard)(id)
        self.view.sync()

    def action_undo(self) -> None:
        container = self._current()
        if container is not None and not self.deck.refuses():
            self._actions.undo(container.id)

    def action_shell(self) -> None:
        self._in_terminal(["exec", "-it"], ["sh"])

    def action_attach(self) -> None:
        self._in_terminal(["attach"], [])

    def _in_terminal(self, verb: list[str], command: list[str]) -> None:
        container = self._current()
        if container is None or self.deck.refuses():
            return
        if container.state.status != "running":
            self.notify(f"{container.name} does not run; s starts it", severity="warning")
            return
        in_terminal(self.app, self.deck.instance, [*verb, container.id, *command])

    def action_revive(self) -> None:
        if not self.deck.refuses():
            self._link.revive()

    def action_end_welcome(self) -> None:
        if not self.deck.refuses():
            for id in welcome.ours(self._store.containers.values()):
                self._actions.act("remove", id)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that mean nothing now are not there."""
        if action == "revive":
            return bool(self._store.gone)
        if action == "end_welcome":
            return bool(welcome.ours(self._store.containers.values()))
        if action in ("sort", "invert"):
            return self._table_view
        return True

    # ── other screens ───────────────────────────────────────────────────────────────────────────────────────

    def action_details(self, tab: str = "overview") -> None:
        container = self._current()
        if container is not None:
            from tui.deck.screens.details import DetailsScreen

            self.app.push_screen(DetailsScreen(self._link, self._store, container.id, tab))

    def action_inspect(self) -> None:
        self.action_details("inspect")

    def action_limits(self) -> None:
        container = self._current()
        if container is not None:
            from tui.deck.screens.limits import LimitsScreen

            self.app.push_screen(LimitsScreen(self._link, self._store, container.id))

    def action_new(self) -> None:
        if not self.deck.refuses():
            from tui.deck.screens.new import NewScreen

            self.app.push_screen(NewScreen(self._link, self._store), self._made)

    def _made(self, id: str | None) -> None:
        """Select what was made, as soon as it is there."""
        if id:
            self._selection.wanted = id

    async def on_key_pressed(self, message: messages.KeyPressed) -> None:
        await self.run_action(message.action)


def _at_rest(container: ContainerSummary) -> bool:
    return container.state.status in ("created", "exited", "dead")
