"""The live tree, followed in a thread while it is on the screen and not otherwise."""

from __future__ import annotations

import threading
from collections.abc import Callable

from engine.errors import TiffinError
from engine.model import GroupSnapshot
from tui.deck.engine_link import Link

AGAIN = 1.0  # seconds until an engine that does not answer is asked again


class GroupFeed:
    """Hands on the newest snapshot: `ready` is called in the thread, once for each that was taken, and at a problem."""

    def __init__(self, link: Link, ready: Callable[[], object]) -> None:
        self._link = link
        self._ready = ready
        self._lock = threading.Lock()
        self._newest: GroupSnapshot | None = None
        self._wanted = threading.Event()
        self._ended = False
        self.problem = ""  # why nothing comes
        threading.Thread(target=self._follow, daemon=True, name="deck-groups").start()

    def want(self, wanted: bool) -> None:
        """Follow from now on, or no more."""
        (self._wanted.set if wanted else self._wanted.clear)()

    def end(self) -> None:
        """For good; does not wait."""
        self._ended = True
        self._wanted.set()

    def take(self) -> GroupSnapshot | None:
        """The newest not taken yet."""
        with self._lock:
            newest, self._newest = self._newest, None
            return newest

    def _follow(self) -> None:
        pause = threading.Event()
        while not self._ended:
            self._wanted.wait()
            try:
                for snapshot in self._link.client.groups_live():
                    if self._ended or not self._wanted.is_set():
                        break
                    self._offer(snapshot)
            except TiffinError as error:
                self.problem = str(error)
                self._ready()
            if not self._ended and self._wanted.is_set():
                pause.wait(AGAIN)

    def _offer(self, snapshot: GroupSnapshot) -> None:
        with self._lock:
            announced = self._newest is not None
            self._newest, self.problem = snapshot, ""
        if not announced:
            self._ready()
