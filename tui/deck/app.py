"""The deck's app: what lives as long as it does, and how threads reach the screen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec
from textual.app import App, SystemCommand
from textual.message import Message
from textual.screen import Screen
from textual.signal import Signal

from engine.errors import TiffinError
from engine.instance import Instance
from engine.model import ImageCheck, ScenarioAsk, ScenarioRun, Snapshot
from tui.deck import keys, messages, settings, theme, welcome
from tui.deck.actions import Actions
from tui.deck.engine_link import EngineLink, Link
from tui.deck.groups.store import TreeStore
from tui.deck.jobs.jobs import Jobs
from tui.deck.screens.main import MainScreen
from tui.deck.selection import Selection
from tui.deck.store import Store
from tui.deck.widgets.keybar import key_sign


class DeckApp(App[int]):
    """One instance's containers, live.

    `changed` is published with the store after every change of it: screens subscribe when mounted.
    `palette` is the theme of the moment; `theme_changed_signal` says when it is another.
    """

    BINDINGS = keys.APP
    TITLE = "tiffin"
    CSS_PATH = "deck.tcss"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]

    def __init__(
        self,
        instance: Instance,
        link: Link | None = None,
        *,
        read_only: bool = False,
        theme_name: str | None = None,
        opening: Callable[[Link], Screen[None]] | None = None,
    ) -> None:
        """`opening` makes the screen to begin with, at whose end the app ends; None: the main screen."""
        self.settings_path = instance.config / "settings.toml"
        self.settings, warning = settings.load(self.settings_path)
        self._themes = theme.load(instance.config / "themes")
        self._warnings = [*self._themes.warnings, *([warning] if warning else [])]
        self.palette = self._choose(theme_name)  # Textual asks for its colours while it is being constructed
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        for palette in self._themes.palettes.values():
            self.register_theme(palette.textual())
        self.instance = instance
        self.read_only = read_only
        self.store = Store()
        self.host_tree = TreeStore()  # of the whole host; filled while it is looked at
        self.selection = Selection()
        self.link: Link = link or EngineLink(instance)
        self.actions = Actions(self.link, self.store, self.post_message, self.call_later, self._publish)
        self.checks: dict[str, ImageCheck] = {}  # whether images run here, by id: a fact that stays
        self.jobs = Jobs(self.post_message, self.call_later, self._publish)
        self._opening = opening
        self.demo_run: ScenarioRun | None = None  # the latest demo played here, as it stood last
        self._welcomed = False  # the question was asked
        self.changed: Signal[Store] = Signal(self, "changed")

    def _choose(self, name: str | None) -> theme.Palette:
        palettes = self._themes.palettes
        for wanted in (name, self.settings.theme):
            if wanted in palettes:
                return palettes[wanted]
            if wanted:
                self._warnings.append(f"there is no theme {wanted!r}: there are {', '.join(palettes)}")
        return palettes["dark"]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our meanings as CSS variables also where one of Textual's own themes is on."""
        return theme.variables(self.palette.colors)

    def on_mount(self) -> None:
        self.theme = self.palette.name
        self.set_keymap(self.settings.keys)
        for warning in self._warnings:
            self.notify(warning, severity="warning", timeout=12)
        self.push_screen(self.main_screen())
        if self._opening is not None:
            self.push_screen(self._opening(self.link), lambda _: self.exit(0))
        self.link.start(self.post_message)

    def main_screen(self) -> MainScreen:
        """The screen to open with."""
        return MainScreen(self.link, self.store, self.selection, self.actions)

    def _watch_theme(self, theme_name: str) -> None:
        if theme_name in self._themes.palettes:
            self.palette = self._themes.palettes[theme_name]
        super()._watch_theme(theme_name)

    # ── what threads tell ───────────────────────────────────────────────────────────────────────────────────

    def post_message(self, message: Message) -> bool:
        """Take a message from any thread, also from one that goes on after the app has ended; then False."""
        try:
            return super().post_message(message)
        except RuntimeError:  # the loop is closed
            if self.is_running:
                raise
            return False

    def on_snapshot_ready(self) -> None:
        snapshot = self.link.take()
        if snapshot is not None:
            self.store.apply(snapshot)
            self.store.seed(self.link.take_history())
            self._welcome(snapshot)
            self._publish()

    def _welcome(self, snapshot: Snapshot) -> None:
        """On the very first run, start something to look at; see welcome.py."""
        if self._welcomed or self.settings.welcomed or self.read_only or self._opening:
            return
        self._welcomed = True
        if snapshot.containers:
            return

        def work() -> None:
            if welcome.is_first_run(self.link.client):
                welcome.start(self.link.client)

        self.actions.attempt(work, then=lambda: self.remember(welcomed=True))

    def on_engine_gone(self, message: messages.EngineGone) -> None:
        self.store.gone, self.store.stopped = message.reason, message.stopped
        self._publish()

    def on_engine_back(self) -> None:
        self.store.gone, self.store.stopped = "", False
        self.actions.attempt(self._tell_changed)
        self._publish()

    def _tell_changed(self) -> None:
        """An earlier engine may have been killed with others' cgroups changed; runs in a thread."""
        try:
            changed = [change.name for change in self.link.client.group_changes()]
        except TiffinError:  # the link tells where there is no engine; a recording has none
            return
        if changed:
            text = f"still changed, and not tiffin's: {', '.join(changed)} · 4 shows them, B there puts them back"
            self.post_message(messages.Notice(text, "warning"))

    def on_notice(self, message: messages.Notice) -> None:
        self.notify(message.text, severity=message.severity, timeout=8 if message.severity == "error" else 4)

    def _publish(self) -> None:
        self.changed.publish(self.store)

    # ── what is remembered ──────────────────────────────────────────────────────────────────────────────────

    def remember(self, **changes: Any) -> None:
        """Change settings and write them; a folder that cannot be written gives a notice once."""
        changed = msgspec.structs.replace(self.settings, **changes)
        if changed == self.settings:
            return
        self.settings = changed
        try:
            settings.save(self.settings_path, changed)
        except OSError as error:
            self.notify(
                f"the choice is not remembered: {self.settings_path}: {error.strerror}", severity="warning"
            )

    # ── actions of every screen ─────────────────────────────────────────────────────────────────────────────

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: everything a key does here, and the themes."""
        seen = set()
        for active in screen.active_bindings.values():
            id = active.binding.id or ""
            if not active.enabled or id in seen or not id or id in keys.NOT_IN_PALETTE:
                continue
            seen.add(id)
            yield SystemCommand(
                active.binding.description,
                f"key {key_sign(active.binding.key)}",
                partial(self.run_action, active.binding.action, active.node),
            )
        for name in self._themes.palettes:
            yield SystemCommand(
                f"theme: {name}", "change the colours, and remember them", partial(self.choose, name)
            )

    def choose(self, theme_name: str) -> None:
        """Change to a theme and remember it."""
        self.theme = theme_name
        self.remember(theme=theme_name)

    def leave_tree(self, view: str = "") -> None:
        """Go from the host tree to "panes" or "table"; "" is the one that was there before."""
        self.pop_screen()
        if isinstance(self.screen, MainScreen):
            self.screen.action_view(view or self.screen.view_name)

    def refuses(self) -> bool:
        """Whether acting keys are off; says so when they are."""
        if self.read_only:
            self.notify("read-only: nothing is changed from here; R allows it again", severity="warning")
        return self.read_only

    def action_read_only(self) -> None:
        self.read_only = not self.read_only
        self.notify("read-only" if self.read_only else "keys act again")
        self._publish()

    def action_help(self) -> None:
        from tui.deck.screens.help import HelpScreen

        self.push_screen(HelpScreen())

    def on_unmount(self) -> None:
        self.link.stop()

    async def action_quit(self) -> None:
        self.exit(0)


def main(instance: Instance, *, read_only: bool = False, theme: str | None = None) -> int:
    """Run the deck until it is left; 0, or 1 where it ended by an error of its own."""
    app = DeckApp(instance, read_only=read_only, theme_name=theme)
    result = app.run()
    return app.return_code or result or 0


def demos(instance: Instance, name: str, ask: ScenarioAsk) -> ScenarioRun | None:
    """Run the deck on the gallery of demos, or on the one of that name; the latest run as it stood last."""
    from tui.deck.screens.demo import DemoScreen
    from tui.deck.screens.demos import DemosScreen

    def opening(link: Link) -> Screen[None]:
        return DemoScreen(link, name, ask) if name else DemosScreen(link)

    app = DeckApp(instance, opening=opening)
    app.run()
    return app.demo_run
