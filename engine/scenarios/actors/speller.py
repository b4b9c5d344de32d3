"""word: starts a helper process for every word that is typed, and waits for it; tries again while it cannot."""

from __future__ import annotations

import os
import time

from .pace import keep
from .wire import Wire

EVERY, AGAIN, PATIENCE = 0.05, 0.005, 1.0  # seconds


def play(wire: Wire) -> None:
    """Spell whenever it is told to."""
    while True:
        wire.await_go()
        keep(wire, EVERY, spell)


def spell() -> bool:
    """One helper's life; False where none could be started for a second."""
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE:
        try:
            pid = os.fork()
        except BlockingIOError:  # EAGAIN: pids.max
            time.sleep(AGAIN)
            continue
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        return True
    return False
