"""setup: writes to the disk without a pause, past the page cache, over and over in one bounded file a process."""

from __future__ import annotations

import mmap
import os
import signal

from .board import Board, Report, stopped
from .wire import Wire

PIECE, PIECES = 1 << 20, 32  # bytes, and so many of them a file
EVERY = 0.2  # seconds between two reports


def play(wire: Wire, count: str) -> None:
    """Write whenever it is told to; in between its processes are stopped."""
    board = Board(int(count))
    workers = stopped(int(count), lambda slot: flood(board, slot))
    while True:
        wire.await_go()
        report = Report(board)
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        halted = None
        while halted is None:
            halted = wire.order(EVERY)
            if halted:
                for pid in workers:
                    os.kill(pid, signal.SIGSTOP)
            wire.tell(halted=bool(halted), **report.since())


def flood(board: Board, slot: int) -> None:
    """Write piece after piece."""
    file = os.open(f"/var/tmp/part{slot}", os.O_WRONLY | os.O_CREAT | os.O_DIRECT, 0o600)
    piece = mmap.mmap(-1, PIECE)  # O_DIRECT wants it aligned
    piece.write(os.urandom(PIECE))
    while True:
        for place in range(PIECES):
            os.pwrite(file, piece, place * PIECE)
            board.add(slot, 1)
