"""word: a key every 20 ms. A key is 1 ms of CPU time; how long it took is counted from when it was due."""

from __future__ import annotations

import time

from .wire import Wire

EVERY, WORK = 0.020, 1_000_000  # seconds, ns
BATCH = 0.1  # seconds of typing a message
HOPELESS = 1.0  # seconds behind from which nobody types on


def play(wire: Wire) -> None:
    """Type whenever it is told to."""
    while True:
        wire.await_go()
        while type_on(wire):
            pass


def type_on(wire: Wire) -> bool:
    """Type until told to stop (False), or until so far behind that it has to begin anew (True)."""
    due, took = time.monotonic(), list[float]()
    told = due
    while True:
        due += EVERY
        if wire.order(due - time.monotonic()):
            return False
        began = time.thread_time_ns()
        while time.thread_time_ns() - began < WORK:
            pass
        now = time.monotonic()
        late = now - due
        took.append(round(late * 1000, 3))
        if now - told >= BATCH:
            wire.tell(ms=took)
            took, told = [], now
        if late > HOPELESS:
            return True
