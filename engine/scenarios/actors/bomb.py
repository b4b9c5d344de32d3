"""setup: forks without end; what it has forked does a little work again and again."""

from __future__ import annotations

import os
import signal
import time

from .board import Board, Report
from .wire import Wire

MOST = 4096  # slots of the board: more processes than any limit of a demo
TURNS, PAUSE = 2_000, 0.05
AGAIN = 0.01  # seconds after which it tries again where it was refused
REPORT = 0.2


def play(wire: Wire) -> None:
    """Fork whenever it is told to; when it halts, all that it forked is killed."""
    board = Board(MOST)
    while True:
        wire.await_go()
        report, children = Report(board), list[int]()
        halted, refused, told = None, 0, time.monotonic()
        while halted is None:
            try:
                pid = os.fork()
                if pid == 0:
                    work(board, len(children))
                children.append(pid)
                halted = wire.order(0)
            except OSError:
                refused += 1
                halted = wire.order(AGAIN)
            if len(children) == MOST:
                halted = halted or wire.order()
            if halted:
                for pid in children:
                    os.kill(pid, signal.SIGKILL)
                for pid in children:
                    os.waitpid(pid, 0)
            if halted or time.monotonic() - told > REPORT:
                told = time.monotonic()
                wire.tell(halted=bool(halted), alive=len(children), refused=refused, **report.since())
                refused = 0


def work(board: Board, slot: int) -> None:
    """A part, a pause, a part …"""
    while True:
        for _ in range(TURNS):
            pass
        board.add(slot, 1)
        time.sleep(PAUSE)
