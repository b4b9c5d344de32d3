"""A container's init: the cloned child that builds the container around itself and execs its program."""

from __future__ import annotations

import os

from engine.kernel import syscalls
from engine.launch import child, dev, process, wire
from engine.launch.child import Channel, Failed
from engine.launch.root import Root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

OWN_SYSCTLS = {  # prefixes by the namespace that keeps them the container's own; others would change the host
    "ipc": ("kernel.msg", "kernel.sem", "kernel.shm", "fs.mqueue."),
    "uts": ("kernel.domainname",),
    "network": ("net.",),
}
NAMESPACES = syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC
"""What init is cloned into.

Not among them: the network namespace, which is the monitor's own already, and the cgroup namespace, which has
to wait until init is in all its cgroups.
"""


def run(folder: str, plan: dict[str, Any], channel: Channel) -> NoReturn:
    """Build what config.json (OCI runtime-spec) and launch.json in the folder say, then exec.

    Everything that is written under /proc is written through the host's, before the container's own /proc and
    what it may have mounted there come into reach.
    """
    channel.doing = "reading config.json"
    config = wire.load(f"{folder}/config.json")
    kinds = {n["type"]: n.get("path", "") for n in config["linux"]["namespaces"]}
    _check(kinds)
    channel.doing = "joining the container's cgroups"
    child.join_v1_cgroups(plan["cgroups"])
    if "cgroup" in kinds:
        syscalls.unshare(syscalls.CLONE_NEWCGROUP)
    _identity(config, kinds, channel)
    channel.doing = "reading the seccomp filter"
    program = wire.read(plan["seccomp"]) if plan["seccomp"] else b""
    root = Root(channel, config, plan, f"{folder}/rootfs")
    root.build()
    slave = root.terminal() if plan["tty"] else -1
    root.enter()
    _streams(plan, config["process"]["user"], slave, root.fd)
    syscalls.close_range(child.CHANNEL + 1)
    process.become(config["process"], program, plan["init"], channel)


def _check(namespaces: dict[str, str]) -> None:
    if {"pid", "mount", "uts", "ipc"} - namespaces.keys() or "user" in namespaces:
        raise Failed("a container needs PID, mount, UTS and IPC namespaces of its own, and no user namespace")
    for kind, path in namespaces.items():
        if path:
            raise Failed(f"a container's {kind} namespace cannot be one that exists already")


def _identity(config: dict[str, Any], namespaces: dict[str, str], channel: Channel) -> None:
    channel.doing = "setting the host name"
    if config.get("hostname"):
        syscalls.sethostname(config["hostname"])
    if config.get("domainname"):
        syscalls.setdomainname(config["domainname"])
    for key, value in config["linux"].get("sysctl", {}).items():
        channel.doing = f"setting sysctl {key}"
        own = [prefix for kind, found in OWN_SYSCTLS.items() if kind in namespaces for prefix in found]
        if "/" in key or ".." in key or not key.startswith(tuple(own)):
            raise Failed(f"the sysctl {key} is not the container's own and would change the host")
        _write("/proc/sys/" + key.replace(".", "/"), value)
    adjustment = config["process"].get("oomScoreAdj")
    if adjustment is not None:
        channel.doing = f"setting oom_score_adj to {adjustment}"
        _write("/proc/self/oom_score_adj", str(adjustment))


def _streams(plan: dict[str, Any], user: dict[str, Any], slave: int, root: int) -> None:
    if slave >= 0:
        dev.take_terminal(slave)
        return
    if not plan["stdin"]:
        dev.take_null(root)
    for number in range(0 if plan["stdin"] else 1, 3):
        os.fchown(number, user["uid"], user["gid"])  # so that /dev/stdout can be opened by name


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
