"""Takes away from a worker process what its job does not need, before it meets bytes from strangers."""

from __future__ import annotations

import os
import resource
import signal
import sys

from engine.errors import KernelError
from engine.kernel import syscalls

MEMORY = 1 << 30  # bytes of address space; decompressors' windows are bounded far below
NICENESS = 5  # the engine's loop and the containers come first

CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID = range(5)
CAP_SYS_CHROOT, CAP_SYS_ADMIN, CAP_MKNOD, CAP_SETFCAP = 18, 21, 27, 31
WRITES_FILES = (CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_SETFCAP)
WRITES_LAYERS = (*WRITES_FILES, CAP_SYS_CHROOT, CAP_MKNOD, CAP_SYS_ADMIN)  # trusted.overlay.* takes SYS_ADMIN


def confine(
    parent: int,
    *,
    capabilities: tuple[int, ...] = WRITES_LAYERS,
    open_files: int = 256,
    root: int | None = None,
) -> None:
    """No network, no new privileges, few capabilities, bounded memory; death together with the engine.

    `parent` is the engine's pid; `root` the descriptor of a folder that becomes "/", from which no further
    module is then imported. Raises KernelError.
    """
    try:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
        os.umask(0o077)
        os.nice(NICENESS)
        for what, value in (
            (resource.RLIMIT_AS, MEMORY),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_NOFILE, open_files),
        ):
            hard = resource.getrlimit(what)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(what, (value, value))
        permitted = _permitted()
        if os.geteuid() == 0:
            syscalls.unshare(syscalls.CLONE_NEWNET | syscalls.CLONE_NEWIPC)
        if root is not None:
            sys.meta_path.clear()
            os.fchdir(root)
            os.chroot(".")
        if os.geteuid() == 0:
            kept = sum(1 << capability for capability in capabilities) & permitted
            syscalls.capset(kept, kept, 0)
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    except OSError as e:
        raise KernelError.of("confining a worker process", e) from e


def _permitted() -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1], 16) for line in file if line.startswith("CapPrm:"))
