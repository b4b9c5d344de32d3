"""The child that enters a running container and becomes a further program in it."""

from __future__ import annotations

import os

from engine.kernel import paths, syscalls
from engine.launch import child, dev, process, wire
from engine.launch.child import Channel, Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

ALL = (
    syscalls.CLONE_NEWCGROUP
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWNET
    | syscalls.CLONE_NEWNS
)


def run(plan: dict[str, Any], target: int, channel: Channel) -> NoReturn:
    """Enter the namespaces of `target` (a pidfd) and exec; the PID namespace is entered already."""
    options = plan["process"]
    channel.doing = "reading the seccomp filter"
    program = wire.read(plan["seccomp"]) if plan["seccomp"] else b""
    channel.doing = "joining the container's cgroups"
    child.join_v1_cgroups(plan["cgroups"])
    adjustment = options.get("oomScoreAdj")
    if adjustment is not None:
        channel.doing = f"setting oom_score_adj to {adjustment}"
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        os.write(fd, str(adjustment).encode())
        os.close(fd)
    channel.doing = "entering the container"
    syscalls.setns(target, ALL)
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if plan["tty"]:
        channel.doing = "opening a terminal"
        dev.take_terminal(_terminal(root, options, channel))
    else:
        if not plan["stdin"]:
            channel.doing = "opening /dev/null"
            dev.take_null(root)
        for number in range(0 if plan["stdin"] else 1, 3):
            os.fchown(number, options["user"]["uid"], options["user"]["gid"])
    syscalls.close_range(child.CHANNEL + 1)
    process.become(options, program, False, channel)


def _terminal(root: int, options: dict[str, Any], channel: Channel) -> int:
    pts = paths.open_in_root(
        root, "/dev/pts", os.O_RDONLY | os.O_DIRECTORY, resolve=paths.RESOLVE_NO_SYMLINKS
    )
    if paths.filesystem_type(pts) != dev.DEVPTS:  # the container's root may have put anything there
        raise Failed("the container's /dev/pts is no longer a devpts file system")
    master, slave = dev.open_terminal(pts, options.get("consoleSize"), options["user"]["uid"])
    channel.send_terminal(master)
    return slave
