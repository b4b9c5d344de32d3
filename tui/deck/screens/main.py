"""The main screen: host strip, banner, panes or table, log pane, keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.screen import Screen

from engine.model import ContainerSummary
from tui.deck import keys
from tui.deck.actions import Actions
from tui.deck.engine_link import Link
from tui.deck.logs.pane import LogPane
from tui.deck.selection import Selection
from tui.deck.store import Store
from tui.deck.widgets.banner import Banner
from tui.deck.widgets.host import HostStrip
from tui.deck.widgets.keybar import KeyBar
from tui.deck.widgets.panes import PaneGrid
from tui.deck.widgets.table import ContainerTable

if TYPE_CHECKING:
    from tui.deck.app import DeckApp


class MainScreen(Screen[None]):
    """Where the deck opens, and where Esc leads back to."""

    BINDINGS = keys.MAIN

    def __init__(self, link: Link, store: Store, selection: Selection, actions: Actions) -> None:
        super().__init__()
        self._link = link
        self._store = store
        self._selection = selection
        self._actions = actions

    def compose(self) -> ComposeResult:
        yield HostStrip(self._store)
        yield Banner(self._store)
        yield PaneGrid(self._store, self._selection)
        yield ContainerTable(self._store, self._selection)
        yield LogPane(self._link)
        yield KeyBar()
