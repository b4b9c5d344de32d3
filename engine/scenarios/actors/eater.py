"""setup: so many processes, each of which fills some memory, keeps it a moment, and is followed by another."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from .board import Board, Report
from .wire import Wire

MIB = 1 << 20
EACH = 8  # MiB a process
PAUSE, KEEP = 0.005, 0.3  # seconds after each MiB, and at the end
EVERY = 0.05  # seconds


def play(wire: Wire, count: str) -> None:
    """Fill memory whenever it is told to; when it halts, it gives all of it back."""
    board = Board(int(count))
    while True:
        wire.await_go()
        report, slots = Report(board), dict[int, int]()  # slot by pid
        halted, killed = None, 0
        while halted is None:
            for slot in set(range(int(count))) - set(slots.values()):
                with contextlib.suppress(OSError):
                    pid = os.fork()
                    if pid == 0:
                        fill(board, slot)
                    slots[pid] = slot
            halted = wire.order(EVERY)
            killed += reap(slots)
            if halted:
                for pid in slots:
                    os.kill(pid, signal.SIGKILL)
                while slots:
                    reap(slots)
            wire.tell(halted=bool(halted), killed=killed, **report.since())
            killed = 0


def reap(slots: dict[int, int]) -> int:
    """Take leave of those that have ended; how many of them were killed."""
    killed = 0
    for pid in list(slots):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            del slots[pid]
            killed += os.WIFSIGNALED(status)
    return killed


def fill(board: Board, slot: int) -> None:
    """Fill memory, a MiB at a time."""
    kept = []
    for _ in range(EACH):
        kept.append(b"x" * MIB)
        board.add(slot, 1)
        time.sleep(PAUSE)
    time.sleep(KEEP)
    os._exit(0)
