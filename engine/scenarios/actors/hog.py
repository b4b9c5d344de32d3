"""setup: so many processes that compute without a pause. A part is 20,000 turns of an empty loop."""

from __future__ import annotations

import os
import signal

from .board import Board, Report, stopped
from .wire import Wire

TURNS = 20_000
EVERY = 0.2  # seconds between two reports


def play(wire: Wire, count: str) -> None:
    """Compute whenever it is told to; in between its processes are stopped."""
    board = Board(int(count))
    workers = stopped(int(count), lambda slot: compute(board, slot))

    def signalled(number: int) -> None:
        for pid in workers:
            os.kill(pid, number)

    while True:
        wire.await_go()
        report = Report(board)
        signalled(signal.SIGCONT)
        halted = None
        while halted is None:
            halted = wire.order(EVERY)
            if halted:
                signalled(signal.SIGSTOP)
            wire.tell(halted=bool(halted), **report.since())


def compute(board: Board, slot: int) -> None:
    """Do part after part and count them."""
    while True:
        for _ in range(TURNS):
            pass
        board.add(slot, 1)
