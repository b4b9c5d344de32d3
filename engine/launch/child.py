"""What every child of a monitor begins with: the descriptors it keeps, and how it tells of a failure.

The child is a copy of the launcher that walks into a container and execs there. From the first step in,
whatever it reads from its surroundings may be hostile, so it imports nothing more (`sys.meta_path` is empty),
resolves no path that leads through /proc of the container, and cannot be looked at from inside (PR_SET_DUMPABLE).
"""

from __future__ import annotations

import json
import os
import signal
import socket

from engine.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTERM, signal.SIGXFSZ)
"""What launcher and monitor ignore, and a program must not."""

CHANNEL = 3  # the child's descriptor of its channel to the monitor
READY, GO, TERMINAL = b"R", b"g", b"T"
NOT_EXECUTABLE, NOT_FOUND, SETUP_FAILED = 126, 127, 125  # exit codes, as a shell's and Docker's


class Failed(Exception):
    """The program cannot be started; `code` is the exit code that says so."""

    def __init__(self, message: str, code: int = SETUP_FAILED) -> None:
        super().__init__(message)
        self.code = code


class Channel:
    """The child's end of its line to the monitor.

    `doing` is what an error is about: set it before each step. The line closes by itself at exec, which tells
    the monitor that it worked.
    """

    def __init__(self) -> None:
        self.doing = "preparing the container"

    def ready(self) -> None:
        """Say that all is done but exec, and wait for the word to do that."""
        os.write(CHANNEL, READY)
        if not os.read(CHANNEL, 1):
            os._exit(SETUP_FAILED)  # the monitor was killed

    def send_terminal(self, master: int) -> None:
        """Hand the terminal's master over."""
        with socket.socket(fileno=os.dup(CHANNEL)) as line:
            socket.send_fds(line, [TERMINAL], [master])

    def fail(self, error: BaseException) -> NoReturn:
        """Say why the program cannot be started, and end."""
        code = error.code if isinstance(error, Failed) else SETUP_FAILED
        if isinstance(error, Failed):
            text = str(error)
        elif isinstance(error, OSError):
            named = f" ({error.filename})" if error.filename and str(error.filename) not in self.doing else ""
            text = f"{self.doing}: {error.strerror}{named}"
        else:
            text = f"{self.doing}: {error!r}"
        os.write(CHANNEL, json.dumps({"error": text, "code": code}).encode())
        os._exit(code)


def run(body: Callable[[Channel], None], stdio: list[int], line: socket.socket) -> NoReturn:
    """Be the child: keep standard streams and channel, drop all else, and do `body`, which ends in exec."""
    channel = Channel()
    try:
        for number, fd in enumerate(stdio):
            if fd >= 0:
                os.dup2(fd, number)
        os.dup2(line.fileno(), CHANNEL, inheritable=False)
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        for number in IGNORED:
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        body(channel)
    except BaseException as error:  # noqa: BLE001 - the child must never unwind into the monitor's loop
        channel.fail(error)
    os._exit(SETUP_FAILED)


def join_cgroups(folders: list[str]) -> None:
    """Move this process into cgroups."""
    for folder in folders:
        fd = os.open(f"{folder}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, b"0")
        finally:
            os.close(fd)
