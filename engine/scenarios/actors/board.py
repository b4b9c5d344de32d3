"""Processes of one role that count their work on a board in shared memory."""

from __future__ import annotations

import mmap
import os
import signal
import struct
import time
from collections.abc import Callable

SLOT = struct.Struct("=Qd")  # work, seconds of CPU time


class Board:
    """A slot for each process; only it writes there."""

    def __init__(self, slots: int) -> None:
        self._map = mmap.mmap(-1, SLOT.size * slots)

    def add(self, slot: int, work: int) -> None:
        """Count some more work of the calling process."""
        done, _ = SLOT.unpack_from(self._map, slot * SLOT.size)
        SLOT.pack_into(self._map, slot * SLOT.size, done + work, time.process_time())

    def total(self) -> tuple[int, float]:
        """Work and CPU time of all."""
        slots = list(SLOT.iter_unpack(self._map[:]))
        return sum(work for work, _ in slots), sum(cpu for _, cpu in slots)


class Report:
    """What was done since the last report."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._told = board.total()

    def since(self) -> dict[str, float]:
        """Work and CPU time, for a message."""
        now, before = self._board.total(), self._told
        self._told = now
        return {"work": now[0] - before[0], "cpu": max(0.0, now[1] - before[1])}


def stopped(count: int, work: Callable[[int], None]) -> list[int]:
    """So many processes, by pid, that stand still until they are told to go on, and then do the work of their slot."""
    workers = []
    for slot in range(count):
        pid = os.fork()
        if pid == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
            work(slot)
        workers.append(pid)
    return workers
