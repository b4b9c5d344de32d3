"""The launcher: forks a monitor for every container and exec, and nothing else.

Run as `python -I -S launcher.py SOCKET`, it imports next to nothing, so that it is ready in a few milliseconds and
what its forks share is small, and it has one thread for life, so that forking is safe. Each packet on its
socket is a request with the descriptor of the socket that becomes the monitor's first client. It ends when
the engine's end of the socket closes.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from engine.kernel import pidfd, syscalls
from engine.launch.child import IGNORED
from engine.launch.container import Container
from engine.launch.execution import Execution

REQUEST = 1 << 16  # bytes; an exec's plan comes in a file instead, as it may be longer


def serve(line: socket.socket) -> None:
    """Follow requests until there will be no more."""
    boot_id = pidfd.boot_id()
    while True:
        packet, fds, _flags, _address = socket.recv_fds(line, REQUEST, 2)
        if not packet:
            return
        middle = os.fork()
        if middle == 0:
            # Its parent gone at once, the monitor is the host's PID 1's child: nothing that ends the launcher
            # concerns it.
            os.setsid()
            if os.fork() == 0:
                line.close()
                be_monitor(json.loads(packet), fds, boot_id)
            os._exit(0)
        for fd in fds:
            os.close(fd)
        os.waitpid(middle, 0)


def be_monitor(request: dict[str, str], fds: list[int], boot_id: str) -> None:
    """Be what was asked for, and end with it."""
    status = 1
    try:
        first = socket.socket(fileno=fds[0])
        if request["op"] == "launch":
            Container(request["folder"], boot_id, first).run()
        else:
            with open(f"/proc/self/fd/{fds[1]}", "rb") as file:
                plan = json.load(file)
            Execution(plan, boot_id, first).run()
        status = 0
    except BaseException:  # noqa: BLE001 - it goes to the engine's log; the launcher's loop must not go on here
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def main() -> None:
    """Prepare what all forks will share, then serve the socket whose descriptor is the first argument."""
    line = socket.socket(fileno=int(sys.argv[1]))
    line.set_inheritable(False)
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and fd != line.fileno():
            try:
                os.close(fd)
            except OSError:  # the listing's own
                pass
    for number in range(1, 65):
        if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    for number in IGNORED:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    syscalls.set_name("tiffin-launcher")
    os.umask(0o022)
    os.chdir("/")
    # From here on, no import: in a child the folders to import from may be a container's.
    sys.path.clear()
    sys.meta_path.clear()
    gc.collect()
    gc.disable()
    gc.freeze()
    serve(line)


if __name__ == "__main__":
    main()
