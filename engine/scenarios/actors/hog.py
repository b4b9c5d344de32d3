"""setup: so many processes that compute without a pause. A part is 20,000 turns of an empty loop."""

from __future__ import annotations

import mmap
import os
import signal
import struct
import time

from .wire import Wire

TURNS = 20_000
SLOT = struct.Struct("=Qd")  # parts, seconds of CPU time
EVERY = 0.2  # seconds between two reports


def play(wire: Wire, count: str) -> None:
    """Compute whenever it is told to; in between its processes are stopped."""
    board = mmap.mmap(-1, SLOT.size * int(count))
    workers = []
    for slot in range(int(count)):
        pid = os.fork()
        if pid == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
            compute(board, slot * SLOT.size)
        workers.append(pid)

    def done() -> tuple[int, float]:
        slots = list(SLOT.iter_unpack(board[:]))
        return sum(parts for parts, _ in slots), sum(cpu for _, cpu in slots)

    def signalled(number: int) -> None:
        for pid in workers:
            os.kill(pid, number)

    while True:
        wire.await_go()
        told = done()
        signalled(signal.SIGCONT)
        halted = None
        while halted is None:
            halted = wire.order(EVERY)
            if halted:
                signalled(signal.SIGSTOP)
            now = done()
            wire.tell(work=now[0] - told[0], cpu=now[1] - told[1], halted=bool(halted))
            told = now


def compute(board: mmap.mmap, at: int) -> None:
    """Do part after part and count them on the board."""
    parts = 0
    while True:
        for _ in range(TURNS):
            pass
        parts += 1
        SLOT.pack_into(board, at, parts, time.process_time())
