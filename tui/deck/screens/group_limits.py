"""The limits editor for a cgroup that is not tiffin's: it asks before it applies."""

from __future__ import annotations

from engine.model import Group, LimitsChange
from tui.deck.engine_link import Link
from tui.deck.groups.consent import changing
from tui.deck.groups.door import door
from tui.deck.groups.store import TreeStore
from tui.deck.screens.confirm import Confirm
from tui.deck.screens.limits import LimitsScreen
from tui.deck.store import Store
from tui.presentation.groups import whose
from tui.presentation.text import harmless


class GroupLimitsScreen(LimitsScreen):
    """See LimitsScreen."""

    CSS = LimitsScreen.CSS.replace(
        "LimitsScreen", "GroupLimitsScreen"
    )  # a screen's CSS is for its own name only

    def __init__(self, link: Link, store: TreeStore, group: Group) -> None:
        super().__init__(door(link), store, group.id)
        self._group = group

    def heading(self) -> str:
        """See LimitsScreen."""
        return harmless(f"limits of {whose(self._group)}, not tiffin's")

    def _changed(self, store: Store) -> None:
        """What is told is the containers' store; this is about the tree's."""
        super()._changed(self._store)

    def apply(self, change: LimitsChange) -> None:
        """Ask, and name it."""

        def answered(yes: bool | None) -> None:
            if yes:
                super(GroupLimitsScreen, self).apply(change)

        self.app.push_screen(Confirm(changing(self._group), "change"), answered)
