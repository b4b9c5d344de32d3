"""word: saves its document every so often: 4 KiB written, and on the disk (fsync) before it goes on."""

from __future__ import annotations

import os

from .pace import keep
from .wire import Wire

EVERY = 0.05  # seconds
PATH = "/var/tmp/document"


def play(wire: Wire) -> None:
    """Save whenever it is told to."""
    file = os.open(PATH, os.O_WRONLY | os.O_CREAT, 0o600)

    def save() -> bool:
        os.pwrite(file, os.urandom(4096), 0)
        os.fsync(file)
        return True

    while True:
        wire.await_go()
        keep(wire, EVERY, save)
