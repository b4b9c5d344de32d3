"""The kernel: its version, system calls, namespaces, seccomp."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Callable, Iterator

from engine.cgroups.files import read_or
from engine.kernel import paths, pidfd, syscalls
from engine.model import Check
from engine.watch.doctor.finding import limited, missing, ok

LEAST = (5, 12)  # mount_setattr(2), which containers' mounts are made with
NAMESPACES = {"mnt": "mount", "pid": "pid", "net": "network", "uts": "uts", "ipc": "ipc", "cgroup": "cgroup"}


def checks() -> Iterator[Check]:
    """All of them."""
    yield _version()
    yield _calls()
    yield _exit_status()
    yield _namespaces()
    yield _user_namespaces()
    yield _seccomp()


def version() -> tuple[int, int]:
    """Major and minor."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _version() -> Check:
    system = os.uname()
    found = f"{system.sysname} {system.release} on {system.machine}"
    if system.sysname != "Linux" or version() < LEAST:
        least = ".".join(map(str, LEAST))
        return missing("kernel", found, "no container can be started", f"use Linux {least} or later")
    return ok("kernel", found)


def _calls() -> Check:
    trials: dict[str, Callable[[], object]] = {
        "pidfd_open": lambda: os.close(os.pidfd_open(os.getpid())),
        "openat2": _openat2,
        "clone3": lambda: syscalls.syscall("clone3", None, 0),
        "mount_setattr": lambda: syscalls.syscall("mount_setattr", -1, b"", 0, None, 0),
    }
    lacking = [name for name, trial in trials.items() if not _known(trial)]
    if lacking:
        cost = "no container can be started"
        return missing("system calls", f"the kernel refuses {', '.join(lacking)}", cost, "use a newer kernel")
    return ok("system calls", ", ".join(trials))


def _known(trial: Callable[[], object]) -> bool:
    """Whether the kernel has a call: called with nothing useful it then answers anything but ENOSYS."""
    try:
        trial()
    except OSError as error:
        return error.errno != errno.ENOSYS
    return True


def _openat2() -> None:
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        os.close(paths.open_in_root(root, ".", os.O_PATH))
    finally:
        os.close(root)


def _exit_status() -> Check:
    name = "exit status of a reaped process"
    with subprocess.Popen(["/bin/sh", "-c", "read _; exit 7"], stdin=subprocess.PIPE) as child:
        held = pidfd.open_pid(child.pid)
    try:
        if pidfd.exit_code(held) == 7:
            return ok(name, "a pidfd tells it (Linux 6.15)")
    finally:
        os.close(held)
    cost = "the exit code of a container whose monitor was killed is not known"
    return limited(name, "no pidfd tells it; that came with Linux 6.15", cost, "use Linux 6.15 or later")


def _namespaces() -> Check:
    lacking = [word for name, word in NAMESPACES.items() if not os.path.exists(f"/proc/self/ns/{name}")]
    if lacking:
        cost = "no container can be started"
        return missing(
            "namespaces", f"the kernel has no {', '.join(lacking)} namespaces", cost, "use another kernel"
        )
    return ok("namespaces", ", ".join(NAMESPACES.values()))


def _user_namespaces() -> Check:
    name = "user namespaces"
    most = read_or("/proc/sys/user/max_user_namespaces")
    if not os.path.exists("/proc/self/ns/user"):
        return limited(
            name, "the kernel has none", "root in a container is the host's root, without its powers"
        )
    if most == "0":
        return limited(
            name,
            "user.max_user_namespaces is 0",
            "programs that sandbox themselves with user namespaces fail in containers",
            "sysctl -w user.max_user_namespaces=10000",
        )
    return ok(name, f"up to {most}" if most else "there are some")


def _seccomp() -> Check:
    actions = read_or("/proc/sys/kernel/seccomp/actions_avail").split()
    if "errno" not in actions:
        return missing(
            "seccomp",
            "the kernel filters no system calls (CONFIG_SECCOMP_FILTER)",
            "containers reach parts of the kernel that the default filter keeps from them",
            "use a kernel with CONFIG_SECCOMP_FILTER",
        )
    return ok("seccomp", f"filters with {', '.join(actions)}")
