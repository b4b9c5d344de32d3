"""A container's init: the cloned child that builds the container around itself and execs its first program."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import struct

from engine.kernel import syscalls
from engine.launch import child, dev, process
from engine.launch.child import Channel, Failed
from engine.launch.root import Root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

SIOCSIFFLAGS = 0x8914
IFF_UP = 1
OWN_SYSCTLS = {  # by the namespace that keeps them the container's own; all others would change the host
    "ipc": re.compile(r"kernel\.(msg\w+|sem|shm\w+)|fs\.mqueue\.\w+"),
    "uts": re.compile(r"kernel\.(hostname|domainname)"),
    "network": re.compile(r"net\.[\w.\-/]+"),
}


def run(plan: dict[str, Any], config: dict[str, Any], netns: int, channel: Channel) -> NoReturn:
    """Build what `config` (OCI runtime-spec) and `plan` (launch.json) say, then exec.

    Everything that is written under /proc is written through the host's, before the container's own /proc and
    what it may have mounted there come into reach.
    """
    linux = config["linux"]
    namespaces = {n["type"]: n.get("path", "") for n in linux["namespaces"]}
    channel.doing = "joining the container's cgroups"
    child.join_cgroups(plan["cgroups"])
    _namespaces(namespaces, netns, channel)
    _identity(config, namespaces, channel)
    program = _read(plan["seccomp"], channel)
    root = Root(channel, config, plan, f"{os.path.dirname(plan['state_file'])}/rootfs")
    root.build()
    slave = root.terminal() if plan["tty"] else -1
    root.enter()
    _streams(plan, config["process"]["user"], slave, root.fd)
    syscalls.close_range(child.CHANNEL + 1)
    process.become(config["process"], program, plan["init"], channel)


def _namespaces(namespaces: dict[str, str], netns: int, channel: Channel) -> None:
    channel.doing = "entering the container's namespaces"
    missing = {"pid", "mount"} - namespaces.keys()
    if missing or "user" in namespaces:
        raise Failed("a container needs PID and mount namespaces of its own, and no user namespace")
    for kind, path in namespaces.items():
        if path:
            raise Failed(f"a container's {kind} namespace cannot be one that exists already")
    if "cgroup" in namespaces:
        syscalls.unshare(syscalls.CLONE_NEWCGROUP)
    if netns >= 0:
        syscalls.setns(netns, syscalls.CLONE_NEWNET)
    elif "network" in namespaces:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def _identity(config: dict[str, Any], namespaces: dict[str, str], channel: Channel) -> None:
    if "uts" in namespaces:
        channel.doing = "setting the host name"
        if config.get("hostname"):
            syscalls.sethostname(config["hostname"])
        if config.get("domainname"):
            syscalls.setdomainname(config["domainname"])
    for key, value in config["linux"].get("sysctl", {}).items():
        channel.doing = f"setting sysctl {key}"
        if ".." in key or not any(n in namespaces and p.fullmatch(key) for n, p in OWN_SYSCTLS.items()):
            raise Failed(f"the sysctl {key} is not the container's own and would change the host")
        _write("/proc/sys/" + (key if "/" in key else key.replace(".", "/")), value)
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


def _read(path: str, channel: Channel) -> bytes:
    channel.doing = "reading the seccomp filter"
    if not path:
        return b""
    with open(path, "rb") as file:
        return file.read()


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
