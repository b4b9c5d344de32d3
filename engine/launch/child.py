"""What every child of a monitor begins with: the descriptors it keeps, and how it tells of a failure.

The child is a copy of the launcher that walks into a container and execs there. From the first step in,
whatever it reads from its surroundings may be hostile, so it imports nothing more (`sys.meta_path` is empty),
takes no path through the container's /proc, and cannot be looked at from inside (PR_SET_DUMPABLE).
"""

from __future__ import annotations

import os

from engine.kernel import syscalls
from engine.launch import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import NoReturn
else:
    import _signal as signal  # without enum

IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTERM, signal.SIGXFSZ)
"""What launcher and monitor ignore, and a program must not."""

title = syscalls.Title()

CHANNEL = 3  # the child's descriptor of its channel to the monitor
READY, GO, TERMINAL = b"r", b"g", b"t"
NOT_EXECUTABLE, NOT_FOUND, SETUP_FAILED = 126, 127, 125  # exit codes, as a shell's and Docker's


def ignore_signals() -> None:
    """Go on whatever is sent, short of SIGKILL."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)


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
        if os.read(CHANNEL, 1) != GO:
            os._exit(SETUP_FAILED)  # the monitor was killed

    def send_terminal(self, master: int) -> None:
        """Hand the terminal's master over."""
        line = wire.Line(fileno=CHANNEL)
        line.send_with(TERMINAL, [master])
        line.detach()

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
        os.write(CHANNEL, wire.dumps({"error": text, "code": code}).encode())
        os._exit(code)


class Child:
    """The monitor's handle on a child: its process, the line to it, our ends of its streams' pipes."""

    def __init__(self, pid: int, pidfd: int, line: wire.Line, pipes: list[int]) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.line = line
        self.pipes = pipes


def spawn(flags: int, cgroups: list[str], body: Callable[[Channel], None]) -> Child:
    """Clone a child into cgroups and the new namespaces `flags`; it does `body`, which ends in exec."""
    ours, theirs = wire.pair()
    pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
    own_ends = [pipes[0][0], pipes[1][1], pipes[2][1]]
    far_ends = [pipes[0][1], pipes[1][0], pipes[2][0]]
    unified = next((folder for folder in cgroups if is_unified(folder)), None)
    cgroup = os.open(unified, os.O_PATH | os.O_CLOEXEC) if unified else -1
    try:
        pid, pidfd = syscalls.clone(flags, cgroup)
    except OSError:
        ours.close()
        theirs.close()
        for fd in (*own_ends, *far_ends):
            os.close(fd)
        raise
    finally:
        if cgroup >= 0:
            os.close(cgroup)
    if pid == 0:
        _run(body, own_ends, far_ends, ours, theirs)
    theirs.close()
    for fd in own_ends:
        os.close(fd)
    return Child(pid, pidfd, ours, far_ends)


def _run(
    body: Callable[[Channel], None],
    streams: list[int],
    far_ends: list[int],
    far_line: wire.Line,
    line: wire.Line,
) -> NoReturn:
    channel = Channel()
    try:
        far_line.close()
        for fd in far_ends:
            os.close(fd)
        for number, fd in enumerate(streams):
            os.dup2(fd, number)
        os.dup2(line.fileno(), CHANNEL, inheritable=False)
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        for number in IGNORED:
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        body(channel)
    except BaseException as error:  # noqa: BLE001 - the child must never unwind into its parent's code
        channel.fail(error)
    os._exit(SETUP_FAILED)


def join_cgroups(folders: list[str]) -> None:
    """Move this process, which has one thread, into cgroups."""
    for folder in folders:
        if not _join_v1(folder):
            _write_self(f"{folder}/cgroup.procs")


def join_v1_cgroups(folders: list[str]) -> None:
    """Move this process into those cgroups that are not of the v2 hierarchy."""
    for folder in folders:
        _join_v1(folder)


def is_unified(folder: str) -> bool:
    """Whether a cgroup's folder is of the v2 hierarchy."""
    return not os.path.exists(f"{folder}/tasks")


def _join_v1(folder: str) -> bool:
    # A single thread is taken without a lock that, once idle, costs an RCU grace period of 10 ms.
    try:
        _write_self(f"{folder}/tasks")
    except FileNotFoundError:
        return False
    return True


def _write_self(path: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, b"0")
    finally:
        os.close(fd)
