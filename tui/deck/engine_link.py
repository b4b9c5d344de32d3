"""The deck's line to the engine: one thread that follows it, and gets it back when it goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from textual.message import Message

from engine.client import EngineClient
from engine.errors import TiffinError
from engine.instance import Instance
from engine.model import History, Snapshot
from tui.deck.messages import EngineBack, EngineGone, SnapshotReady
from tui.deck.store import MINUTE

BACKOFF = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds between tries
HISTORY_FIELDS = ["cpu", "cpu_some"]


class Link(Protocol):
    """What the app needs of its line to the engine."""

    @property
    def client(self) -> EngineClient: ...

    def start(self, post: Callable[[Message], object]) -> None:
        """Begin to follow the engine; `post` takes messages from any thread."""

    def stop(self) -> None:
        """End; does not wait."""

    def take(self) -> Snapshot | None:
        """The newest snapshot not taken yet."""

    def take_history(self) -> list[History]:
        """The last minute of every container as of the last time the engine answered anew; once."""

    def revive(self) -> None:
        """Start an engine that was stopped on purpose."""


class EngineLink:
    """Follows the engine of one instance.

    The newest snapshot waits here until the app takes it, and only one message announces it, so that a screen
    that is busy, or suspended for a shell, skips ticks instead of queueing them.
    """

    def __init__(self, instance: Instance) -> None:
        self.client = EngineClient(instance)
        self._post: Callable[[Message], object] = lambda message: None
        self._lock = threading.Lock()
        self._newest: Snapshot | None = None
        self._history: list[History] = []
        self._stopping = threading.Event()
        self._may_start = True
        self._wake = threading.Event()

    def start(self, post: Callable[[Message], object]) -> None:
        """See Link."""
        self._post = post
        threading.Thread(target=self._follow, daemon=True, name="deck-link").start()

    def stop(self) -> None:
        """See Link."""
        self._stopping.set()
        self._wake.set()

    def take(self) -> Snapshot | None:
        """See Link."""
        with self._lock:
            newest, self._newest = self._newest, None
            return newest

    def take_history(self) -> list[History]:
        """See Link."""
        with self._lock:
            history, self._history = self._history, []
            return history

    def revive(self) -> None:
        """See Link."""
        self._may_start = True
        self._wake.set()

    def _follow(self) -> None:
        tries, told = 0, ""
        while not self._stopping.is_set():
            answered = False
            try:
                EngineClient.connect(self.client.instance, start=self._may_start)
                for snapshot in self.client.live():
                    if self._stopping.is_set():
                        return
                    if not answered:
                        answered = True
                        self._post(EngineBack())
                        self._offer(snapshot)
                        history = self.client.history_all(MINUTE, HISTORY_FIELDS)
                        with self._lock:
                            self._history = history
                    self._offer(snapshot)
                reason, stopped = "the engine was stopped", True
            except TiffinError as error:
                reason = "the engine went away and is being started again" if answered else str(error)
                stopped = not self._may_start
            self._may_start = not stopped
            if answered or (not stopped and reason != told):
                told = reason
                self._post(EngineGone(reason, stopped))
            tries = 0 if answered else tries + 1
            self._wake.wait(BACKOFF[min(tries, len(BACKOFF) - 1)])
            self._wake.clear()

    def _offer(self, snapshot: Snapshot) -> None:
        with self._lock:
            announced = self._newest is not None
            self._newest = snapshot
        if not announced:
            self._post(SnapshotReady())
