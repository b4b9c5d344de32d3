"""The launcher: forks a monitor for every container and exec, and nothing else.

Run as `python -I -S launcher.py SOCKET`, it imports next to nothing, so that it is ready soon and what its
forks share is small, and it has one thread for life, so that forking is safe. Each packet on its socket is a
request with the descriptor of the socket that becomes the monitor's first client. It ends when the engine's
end of the socket closes.

Forking and making a network namespace take a third of a launch. So one spare monitor always waits, in a
network namespace of its own, and takes the next request from the socket itself.
"""

from __future__ import annotations

import fcntl
import gc
import os
import select
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn
else:
    import _signal as signal  # without enum

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from engine.kernel import pidfd, syscalls
from engine.launch import child, wire
from engine.launch.container import Container
from engine.launch.execution import Execution
from engine.launch.monitor import Monitor
from engine.launch.rehearsal import rehearse

SIOCSIFFLAGS = 0x8914
IFF_UP = 1
PAUSE = 4  # milliseconds that a container gets to start before a new spare is made, unless a request waits


def serve(line: wire.Line) -> None:
    """Keep one spare monitor waiting for a request, until there will be no more requests."""
    boot_id = pidfd.boot_id()
    host_network = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    events = select.poll()
    events.register(line.fileno(), 0)  # only its end: requests are for the spare
    requests = select.poll()
    requests.register(line.fileno(), select.POLLIN)
    while True:
        taken, takes = os.pipe()
        failure = enter_new_network()
        if os.fork() == 0:
            os.close(taken)
            be_spare(line, takes, boot_id, host_network, failure)
        os.close(takes)
        events.register(taken, select.POLLIN)
        if line.fileno() in dict(events.poll()):
            return
        if not os.read(taken, 1):  # the spare was killed; whoever does that might go on doing it
            time.sleep(0.1)
        events.unregister(taken)
        os.close(taken)
        requests.poll(PAUSE)


def enter_new_network() -> OSError | None:
    """Move into a network namespace with loopback up; what the kernel answered where it refuses."""
    try:
        syscalls.unshare(syscalls.CLONE_NEWNET)
        control = wire.Line(wire.AF_UNIX, wire.SOCK_SEQPACKET)  # any socket will do
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
        control.close()
    except OSError as error:
        return error
    return None


def be_spare(
    line: wire.Line, takes: int, boot_id: str, host_network: int, failure: OSError | None
) -> NoReturn:
    """Wait for a request, and be the monitor that it asks for."""
    status = 1
    try:
        os.setsid()  # nothing that ends the launcher concerns it
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        packet, fds = line.receive()
        if not packet:
            os._exit(0)
        line.close()
        monitor = make(wire.loads(packet), fds, boot_id)
        if not monitor.own_network:
            syscalls.setns(host_network, syscalls.CLONE_NEWNET)
        else:
            monitor.obstacle = failure
        os.close(host_network)
        monitor.run(takes)
        status = 0
    except BaseException:  # noqa: BLE001 - it goes to the engine's log; the launcher's loop must not go on here
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def make(request: dict[str, str], fds: list[int], boot_id: str) -> Monitor:
    """The monitor for a request; the first descriptor is its first client, the second an exec's plan."""
    first = wire.Line(fileno=fds[0])
    if request["op"] == "launch":
        return Container(request["folder"], boot_id, first)
    plan = wire.load(f"/proc/self/fd/{fds[1]}")
    os.close(fds[1])
    return Execution(plan, boot_id, first)


def main() -> None:
    """Prepare what all forks will share, then serve the socket whose descriptor is the first argument."""
    line = wire.Line(fileno=fcntl.fcntl(int(sys.argv[1]), fcntl.F_DUPFD_CLOEXEC, child.CHANNEL + 1))
    # Whatever a monitor opens must leave this number alone, which its children put their channel at.
    os.dup2(0, child.CHANNEL, inheritable=False)
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > child.CHANNEL and fd != line.fileno():
            try:
                os.close(fd)
            except OSError:  # the listing's own
                pass
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)  # as Python knows them, and then as the kernel does
    syscalls.reset_signals()
    child.ignore_signals()  # the end of its socket ends it
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    rehearse()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for monitors; the kernel reaps them
    child.title.set("tiffin-launcher")
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
