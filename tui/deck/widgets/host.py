"""The host strip on top of the screen."""

from __future__ import annotations

import socket

from tui.deck.draw import host
from tui.deck.draw.line import Line
from tui.deck.store import Store
from tui.deck.theme import palette_of
from tui.deck.widgets.drawn import DrawnLine


class HostStrip(DrawnLine):
    """CPU, memory, IO and stalls of the machine, and tiffin's own cost."""

    def __init__(self, store: Store) -> None:
        super().__init__("host")
        self._store = store
        self._hostname = socket.gethostname().split(".")[0]

    def line(self) -> Line:
        """See DrawnLine."""
        snapshot = self._store.snapshot
        sample = snapshot.host if snapshot else None
        return host.draw(sample, self._hostname, self.outer_size.width, palette_of(self))
