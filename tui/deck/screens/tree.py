"""The host tree: every cgroup of the machine, folded and unfolded, and the keys that act on one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Input

from engine.model import Group, GroupApplied, PutBack
from tui.deck import keys, messages
from tui.deck.actions import Actions
from tui.deck.alerts import Alert
from tui.deck.draw import rows
from tui.deck.engine_link import Link
from tui.deck.groups import consent
from tui.deck.groups.feed import GroupFeed
from tui.deck.groups.store import TreeStore
from tui.deck.groups.table import GroupTable
from tui.deck.messages import Notice
from tui.deck.screens.confirm import Confirm
from tui.deck.screens.group_limits import GroupLimitsScreen
from tui.deck.selection import Selection
from tui.deck.store import Store
from tui.deck.widgets.banner import Banner
from tui.deck.widgets.host import HostStrip
from tui.deck.widgets.keybar import KeyBar
from tui.presentation.text import harmless_lines

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

SHOWN = (
    ("app.help", "keys"),
    ("group.freeze", "freeze"),
    ("group.limits", "limits"),
    ("group.undo", "undo"),
    ("group.put_back", "put back"),
    ("tree.fold", "fold"),
    ("tree.unfold", "unfold"),
    ("tree.details", "open"),
    ("tree.filter", "filter"),
    ("tree.sort_right", "sort"),
    ("tree.empty", "empty ones"),
    ("tree.views", "panes"),
    ("group.all_back", "all back"),
    ("app.quit", "quit"),
)


class TreeScreen(Screen[None]):
    """The third view beside panes and table; Esc, 1 and 2 lead back to them."""

    BINDINGS = keys.TREE

    def __init__(self, link: Link, main: Store, actions: Actions, store: TreeStore) -> None:
        super().__init__()
        self._link = link
        self._main = main
        self._actions = actions
        self._store = store
        self._selection = Selection()
        self._selection.gauge = "none"

    @property
    def deck(self) -> DeckApp:
        """The app, as what it is."""
        return cast("DeckApp", self.app)

    def compose(self) -> ComposeResult:
        yield HostStrip(self._main)
        yield Banner()
        yield GroupTable(self._store, self._selection)
        yield Input(placeholder="name, path, engine, image or program", id="filter", compact=True)
        yield KeyBar(SHOWN)

    def on_mount(self) -> None:
        self.host = self.query_one(HostStrip)
        self.banner = self.query_one(Banner)
        self.table = self.query_one(GroupTable)
        self.keybar = self.query_one(KeyBar)
        field = self.query_one("#filter", Input)
        field.value, field.display = self._store.text, bool(self._store.text)
        later = self.deck.call_later  # taken here: a thread has no app of its own
        self._feed = GroupFeed(self._link, lambda: later(self._fed))
        self._feed.want(True)
        self.deck.changed.subscribe(self, lambda _: self.host.sync())
        self.deck.theme_changed_signal.subscribe(self, lambda _: self.sync())
        self.bindings_updated_signal.subscribe(self, lambda _: self.keybar.sync())
        self.table.focus()
        self.sync()

    def on_unmount(self) -> None:
        self._feed.end()

    # ── bringing the screen up to the store ─────────────────────────────────────────────────────────────────

    def _fed(self) -> None:
        newest = self._feed.take()
        if not self.keybar.is_attached:  # the deck is being left, and its widgets go one by one
            return
        if newest is not None:
            self._store.take(newest, self._main, self.table.sort, self.table.descending)
        with self.app.batch_update():
            self.sync()

    def _arrange(self) -> None:
        """Show the same figures otherwise: folded, filtered, sorted."""
        self._store.arrange(self._main, self.table.sort, self.table.descending)
        self.sync()
        self._moved()

    def sync(self) -> None:
        """Show what the store has now; every widget repaints only what differs."""
        order = list(self._store.branches)
        self._selection.reconcile(order, self._store.groups.keys())
        self.table.show(order)
        self.host.sync()
        self.banner.show(self._alert())
        self.table.sync()
        self._name_keys()

    def _alert(self) -> Alert:
        store = self._store
        if self._main.gone:
            return Alert(self._main.gone, "failed")
        if not store.groups:
            return Alert(self._feed.problem or "asking the engine …", "text")
        if changed := [group for group in store.groups.values() if group.changed]:
            names = ", ".join(group.name for group in changed[:3])
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            return Alert(f"changed by tiffin: {names}{more} · b puts one back, B all", "warn")
        if store.text and not store.branches:
            return Alert(f"nothing matches “{store.text}” · Esc shows all", "text")
        shown = len(store.branches)
        told = f"{shown} of {len(store.groups)} cgroups" if shown < len(store.groups) else f"{shown} cgroups"
        told += f" · {store.omitted} more are not watched" if store.omitted else ""
        current = self.current()
        return Alert(f"{told} · {current.path}" if current else told, "text")

    def _name_keys(self) -> None:
        current = self.current()
        self.keybar.words = {
            "group.freeze": "thaw" if current is not None and current.frozen else "freeze",
            "tree.empty": "hide empty" if self._store.empty else "empty ones",
        }
        self.keybar.sync()

    def current(self) -> Group | None:
        """The selected group."""
        return self._store.groups.get(self._selection.current)

    def on_resize(self) -> None:
        if self.is_mounted:
            self.call_after_refresh(self.sync)

    # ── moving, folding, choosing ───────────────────────────────────────────────────────────────────────────

    def action_move(self, where: str) -> None:
        selection = self._selection
        steps = {"next": 1, "previous": -1, "pagedown": self.table.page(), "pageup": -self.table.page()}
        steps |= {"first": -len(selection.order), "last": len(selection.order)}
        selection.move(steps[where])
        self._moved()

    def _moved(self) -> None:
        with self.app.batch_update():
            self.table.reveal()
            self.table.sync()
            self.banner.show(self._alert())
            self._name_keys()

    def action_fold(self) -> None:
        """Fold what is below; where nothing is open, go to what this is below."""
        branch = self._store.branches.get(self._selection.current)
        if branch is None:
            return
        if branch.parent_of and not branch.folded:
            self._store.folded.add(branch.group.id)
            self._arrange()
        else:
            self._selection.select(branch.group.parent)
            self._moved()

    def action_unfold(self) -> None:
        """Unfold; where it is open, go to the first below it."""
        branch = self._store.branches.get(self._selection.current)
        if branch is None or not branch.parent_of:
            return
        if branch.folded:
            self._store.folded.discard(branch.group.id)
            self._arrange()
        else:
            self.action_move("next")

    def action_fold_all(self) -> None:
        """Fold everything but the first level, or unfold everything."""
        store = self._store
        deep = {group.parent for group in store.groups.values()} - {"", "cgroup:/"}
        store.folded = set() if store.folded else deep
        self._arrange()

    def action_empty(self) -> None:
        self._store.empty = not self._store.empty
        self._arrange()

    def on_picked(self, message: messages.Picked) -> None:
        self._selection.select(message.id)
        self._moved()

    def on_opened(self, message: messages.Opened) -> None:
        self._selection.select(message.id)
        self.action_details()

    def action_sort(self, step: int) -> None:
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
        self._arrange()

    def action_invert(self) -> None:
        self.table.descending = not self.table.descending
        self._arrange()

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._store.text = event.value
        self._arrange()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.input.display = bool(self._store.text)
        self.table.focus()

    def action_back(self) -> None:
        """Undo the last thing that narrowed the view; then back to the containers."""
        field = self.query_one("#filter", Input)
        if field.display:
            field.value = ""
            field.display = False
            self.table.focus()
        else:
            self.action_view("")

    def action_view(self, name: str) -> None:
        self.deck.leave_tree(name)

    def action_details(self) -> None:
        group = self.current()
        if group is None:
            return
        if group.own and group.ref in self._main.containers:
            from tui.deck.screens.details import DetailsScreen

            self.app.push_screen(DetailsScreen(self._link, self._main, group.ref, "overview"))
        else:
            from tui.deck.screens.group import GroupScreen

            self.app.push_screen(GroupScreen(self._link, group))

    # ── acting ──────────────────────────────────────────────────────────────────────────────────────────────

    def action_freeze(self) -> None:
        group = self.current()
        if group is None or self.deck.refuses():
            return
        if self._own(group):
            self._actions.act("unpause" if group.frozen else "pause", group.ref)
            return
        client, verb = self._link.client, "thaw" if group.frozen else "freeze"
        act = client.group_thaw if group.frozen else client.group_freeze
        self._confirmed(consent.freezing(group), verb, lambda: _said(act(group.id, group.path)))

    def action_limits(self) -> None:
        group = self.current()
        if group is None:
            return
        if self._own(group):
            from tui.deck.screens.limits import LimitsScreen

            self.app.push_screen(LimitsScreen(self._link, self._main, group.ref))
        elif group.kind == "root":
            self.notify("the root cgroup is the whole machine and has no limits", severity="warning")
        else:
            self.app.push_screen(GroupLimitsScreen(self._link, self._store, group))

    def action_undo(self) -> None:
        group = self.current()
        if group is None or self.deck.refuses():
            return
        if self._own(group):
            self._actions.undo(group.ref)
        else:
            self._do(lambda: _said(self._link.client.group_undo(group.id)))

    def action_put_back(self) -> None:
        group = self.current()
        if group is not None and not self.deck.refuses():
            self._do(lambda: _backs(self._link.client.group_put_back(group.id)))

    def action_all_back(self) -> None:
        if self.deck.refuses():
            return
        changed = [group.path for group in self._store.groups.values() if group.changed]
        if not changed:
            self.notify("tiffin has changed nothing that is not its own")
            return
        listed = "\n".join([*changed[:6], *([f"and {len(changed) - 6} more"] if len(changed) > 6 else [])])
        text = harmless_lines(f"Put these back as they were?\n{listed}")
        self._confirmed(text, "put back", lambda: _backs(self._link.client.group_put_back()))

    def _own(self, group: Group) -> bool:
        return group.own and group.ref in self._main.containers

    def _confirmed(self, text: str, verb: str, work: Callable[[], str]) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._do(work)

        self.app.push_screen(Confirm(text, verb), answered)

    def _do(self, work: Callable[[], str]) -> None:
        """Run a call in a thread, and say what it said, or its error."""
        post = self.deck.post_message
        self._actions.attempt(lambda: post(Notice(work())))

    async def on_key_pressed(self, message: messages.KeyPressed) -> None:
        await self.run_action(message.action)


def _said(done: GroupApplied) -> str:
    changed = (done.before, done.was_frozen) != (done.after, done.frozen)
    return f"{consent.said(done)} · {done.note}" if done.note and changed else consent.said(done)


def _backs(results: list[PutBack]) -> str:
    problems = [f"{one.name}: {one.problem}" for one in results if one.problem]
    done = [one.name for one in results if not one.problem]
    told = f"put back: {', '.join(done)}" if done else ""
    return "; ".join([part for part in (told, *problems) if part]) or "there was nothing to put back"
