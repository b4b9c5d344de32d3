"""A small init as PID 1: reaps orphans, hands signals on, and ends as the program does."""

from __future__ import annotations

import os

from engine.kernel import syscalls
from engine.launch.child import title

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # without enum


def fork() -> None:
    """Return in the program's process; PID 1 stays here until the program has ended.

    It has given up all privileges by now and, unlike the program, stays unreadable from inside.
    """
    everything = signal.valid_signals()
    signal.pthread_sigmask(signal.SIG_BLOCK, everything)
    program = os.fork()
    if program:
        _reap(program, everything)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, everything)
    if os.isatty(0):  # a group of its own, in front, so that keys reach the program and not PID 1
        os.setpgid(0, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)


def _reap(program: int, signals: set[signal.Signals]) -> None:
    title.set("tiffin-init")
    syscalls.close_range(0)  # the channel too: it must close when the program execs
    while True:
        number = signal.sigwait(signals)
        if number != signal.SIGCHLD:
            try:
                os.kill(program, number)
            except ProcessLookupError:
                pass
            continue
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            if pid == program:
                code = os.waitstatus_to_exitcode(status)
                os._exit(code if code >= 0 else 128 - code)
