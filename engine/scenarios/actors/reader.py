"""word: starts a program and reads a setting, every 100 ms, as any program does all the time."""

from __future__ import annotations

import os

from .pace import keep
from .wire import Wire

EVERY = 0.1  # seconds
PROGRAM, SETTINGS, SETTING = "/bin/true", "/etc/passwd", "root:"


def play(wire: Wire) -> None:
    """Work whenever it is told to."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, quiet, fd) for fd in (1, 2)]

    def work() -> bool:
        try:
            pid = os.posix_spawn(PROGRAM, [PROGRAM], {}, file_actions=actions)
            _, status = os.waitpid(pid, 0)
            with open(SETTINGS, errors="replace") as settings:
                return status == 0 and settings.read(len(SETTING)) == SETTING
        except OSError:
            return False

    while True:
        wire.await_go()
        keep(wire, EVERY, work)
