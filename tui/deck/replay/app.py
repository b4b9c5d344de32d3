"""The deck on a recording."""

from __future__ import annotations

from engine.instance import Instance
from engine.recording import Recording
from tui.deck.app import DeckApp
from tui.deck.replay.link import ReplayLink
from tui.deck.replay.screen import ReplayScreen

REFUSED = "this is a recording: nothing in it can be changed"


class ReplayApp(DeckApp):
    """Shows a recording as the deck would have, and lets nobody act on it."""

    CSS_PATH = "../deck.tcss"

    def __init__(self, instance: Instance, recording: Recording, *, theme_name: str | None = None) -> None:
        self.replay = ReplayLink(instance, recording)
        super().__init__(instance, self.replay, read_only=True, theme_name=theme_name)

    def main_screen(self) -> ReplayScreen:
        """See DeckApp."""
        return ReplayScreen(self.replay, self.store, self.selection, self.actions)

    def on_mount(self) -> None:
        """Before DeckApp's own, which Textual calls too."""
        for note in self.replay.recording.notes:
            self.notify(note, severity="warning", timeout=12)

    def on_surveyed(self) -> None:
        self._publish()

    def refuses(self) -> bool:
        """See DeckApp."""
        self.notify(REFUSED, severity="warning", timeout=3)
        return True

    def action_read_only(self) -> None:
        self.refuses()


def main(instance: Instance, recording: Recording) -> int:
    """Replay until it is left; 0, or 1 where the deck ended by an error of its own."""
    app = ReplayApp(instance, recording)
    result = app.run()
    return app.return_code or result or 0
