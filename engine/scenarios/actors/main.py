"""PID 1 of a demo's container: starts the roles, and starts one again half a second after it has died."""

from __future__ import annotations

import os
import sys
import time

from .wire import Wire

PAUSE = 0.5  # seconds, as long as a person needs to start a program again


def main(specs: list[str]) -> None:
    """Play the roles named by `specs`, such as "setup:hog:16": who, what, and its arguments."""
    wire = Wire("init")
    due = dict.fromkeys(specs, 0.0)  # when each is to be started
    running: dict[int, str] = {}
    while True:
        now = time.monotonic()
        for spec in [spec for spec, at in due.items() if at <= now]:
            try:
                pid = os.fork()
            except OSError:  # no process is left for it: a bomb next door
                due[spec] = now + PAUSE
                continue
            if pid == 0:
                play(spec)
            del due[spec]
            running[pid] = spec
        wire.order(0.05)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            if pid in running:
                spec = running.pop(pid)
                wire.tell(
                    died=spec.split(":")[0], signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
                )
                due[spec] = time.monotonic() + PAUSE


def play(spec: str) -> None:
    """Be one role, to the end of this process."""
    from importlib import import_module

    who, what, *arguments = spec.split(":")
    try:
        import_module("." + what, __package__).play(Wire(who), *arguments)
    finally:
        sys.excepthook(*sys.exc_info())  # into the container's log
        os._exit(1)
