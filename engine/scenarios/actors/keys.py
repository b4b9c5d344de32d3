"""word: a key every 20 ms, which is 1 ms of CPU time, in a document of so many MiB."""

from __future__ import annotations

import time

from .pace import keep
from .wire import Wire

EVERY, WORK = 0.020, 1_000_000  # seconds, ns
PAGE = 4096


def play(wire: Wire, mebibytes: str = "0") -> None:
    """Type whenever it is told to."""
    document = bytearray(int(mebibytes) << 20)
    document[::PAGE] = b"x" * len(document[::PAGE])  # a page is there when it was written to

    def key() -> bool:
        began = time.thread_time_ns()
        while time.thread_time_ns() - began < WORK:
            pass
        return True

    while True:
        wire.await_go()
        keep(wire, EVERY, key)
