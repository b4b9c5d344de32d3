"""What this process may do."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

from engine.cgroups.files import read_or
from engine.model import Check
from engine.watch import kept
from engine.watch.doctor.finding import limited, missing, ok

NEEDED = {
    "CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_FOWNER": 3, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7,
    "CAP_SETPCAP": 8, "CAP_NET_ADMIN": 12, "CAP_SYS_CHROOT": 18, "CAP_SYS_ADMIN": 21, "CAP_MKNOD": 27,
}  # fmt: skip
"""Capability numbers, include/uapi/linux/capability.h."""
CAP_SYS_RESOURCE = 24
FILES_A_CONTAINER = 14  # kept open by the sampler


def checks() -> Iterator[Check]:
    """All of them."""
    yield _root()
    yield _resources()
    yield _open_files()


def _effective() -> int:
    for line in read_or("/proc/self/status").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _root() -> Check:
    if os.geteuid() != 0:
        return limited(
            "root",
            f"this is user {os.geteuid()}",
            "what can be read is watched; starting, stopping and limiting containers needs root",
            "sudo tiffin",
        )
    has = _effective()
    lacking = [name for name, number in NEEDED.items() if not has >> number & 1]
    if lacking:
        cost = "containers cannot be started, or not with all their options"
        remedy = "run tiffin on the host itself, or in a container with --privileged"
        return missing("root", f"root without {', '.join(lacking)}", cost, remedy)
    return ok("root", "with all capabilities that are needed")


def _resources() -> Check:
    if _effective() >> CAP_SYS_RESOURCE & 1:
        return ok("raising resource limits", "CAP_SYS_RESOURCE")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    cost = f"a container's ulimits cannot exceed the engine's hard ones, for instance {hard} open files"
    remedy = "run the engine with CAP_SYS_RESOURCE if you need more"
    return limited("raising resource limits", "no CAP_SYS_RESOURCE", cost, remedy)


def _open_files() -> Check:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    containers = int(hard * kept.SHARE) // FILES_A_CONTAINER
    found = f"up to {hard}: enough to watch {containers} containers with files kept open"
    if containers >= 1000:
        return ok("open files", found)
    return limited(
        "open files", found, "watching more than these costs five times the CPU for each", "ulimit -Hn 65536"
    )
