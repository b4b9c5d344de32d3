"""System calls that Python does not offer, each a thin typed wrapper without policy.

Every wrapper raises OSError as the os module does; callers that talk to people turn it into a KernelError.
Imports are few because the launcher loads this module too. Constants are named as the kernel names them.
The mount API is in `mount`, pidfds are in `pidfd`, openat2 is in `paths`.
"""

from __future__ import annotations

import ctypes
import os
import struct

CLONE_NEWTIME = 0x00000080
CLONE_PIDFD = 0x00001000
CLONE_PARENT = 0x00008000
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_INTO_CGROUP = 0x200000000

CLOSE_RANGE_CLOEXEC = 0x04

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

_SIGCHLD = 17  # the signal module would import enum

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000

# Numbers below 424 differ between architectures; from there on all share one.
_NUMBERS = {
    "x86_64": {"capset": 126, "pivot_root": 155, "keyctl": 250, "setns": 308, "seccomp": 317},
    "aarch64": {"capset": 91, "pivot_root": 41, "keyctl": 219, "setns": 268, "seccomp": 277},
}
_OLD = _NUMBERS.get(os.uname().machine, {})
_CLONE3, _CLOSE_RANGE = 435, 436

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = [ctypes.c_long] + [ctypes.c_void_p] * 6
_prctl = _libc.prctl
_prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
# clone must not give up the interpreter's lock: the child has no other thread that could hand it back.
_locked_syscall = ctypes.PyDLL(None, use_errno=True).syscall
_locked_syscall.restype = ctypes.c_long
_locked_syscall.argtypes = _syscall.argtypes

Argument = int | bytes | None | ctypes.Array  # type: ignore[type-arg]


def syscall(number: int, *args: Argument, about: object = None) -> int:
    """The kernel's answer to one system call; raises OSError naming `about`, usually a path."""
    result: int = _syscall(number, *args, *(0,) * (6 - len(args)))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), about)
    return result


def _old(name: str) -> int:
    if name not in _OLD:
        raise OSError(38, f"{name} is not known for {os.uname().machine}")  # ENOSYS
    return _OLD[name]


def clone(flags: int, cgroup: int = -1) -> tuple[int, int]:
    """Fork into new namespaces: (pid, pidfd) in the parent, (0, -1) in the child; clone3(2) with CLONE_PIDFD.

    `cgroup` is the descriptor of a cgroup v2 folder that the child is born in, or -1. Only for a process that
    has a single thread: the child runs none of Python's after-fork handlers.
    """
    pidfd = ctypes.c_int(-1)
    flags |= CLONE_PIDFD
    if cgroup >= 0:
        flags |= CLONE_INTO_CGROUP
    args = struct.pack("11Q", flags, ctypes.addressof(pidfd), 0, 0, _SIGCHLD, 0, 0, 0, 0, 0, max(cgroup, 0))
    pid: int = _locked_syscall(_CLONE3, args, len(args), 0, 0, 0, 0)
    if pid < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return pid, pidfd.value if pid else -1


def unshare(flags: int) -> None:
    """Move this thread into new namespaces; unshare(2)."""
    if _libc.unshare(flags) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def setns(fd: int, flags: int) -> None:
    """Move this thread into the namespace `fd` or, of a pidfd, into those in `flags`; setns(2)."""
    syscall(_old("setns"), fd, flags)


def close_range(first: int, last: int = 0xFFFFFFFF, flags: int = 0) -> None:
    """Close, or with CLOSE_RANGE_CLOEXEC mark, all descriptors from `first` to `last`; close_range(2)."""
    syscall(_CLOSE_RANGE, first, last, flags)


def pivot_root(new: str, old: str) -> None:
    """Make the mount at `new` this namespace's root and put the present one at `old`; pivot_root(2)."""
    syscall(_old("pivot_root"), os.fsencode(new), os.fsencode(old), about=new)


def prctl(option: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0) -> int:
    """One prctl(2) operation whose arguments are numbers."""
    result: int = _prctl(option, a, b, c, d)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


class Title:
    """What ps and /proc/PID/cmdline show of this process, written over its arguments, which must be done with."""

    def __init__(self) -> None:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        self._start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end of proc_pid_stat(5)
        self._room = end - self._start - 1

    def set(self, text: str) -> None:
        """Show `text`, as far as there is room; its first 15 bytes become the comm, too."""
        raw = os.fsencode(text)[: self._room]
        ctypes.memset(self._start, 0, self._room)
        ctypes.memmove(self._start, raw, len(raw))
        name = ctypes.create_string_buffer(raw[:15])
        prctl(PR_SET_NAME, ctypes.addressof(name))


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """Set this thread's capability sets, each a bit mask by capability number; capset(2)."""
    low, high = 0xFFFFFFFF, 32
    header = struct.pack("Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
    sets = (effective, permitted, inheritable)
    data = struct.pack("6I", *(s & low for s in sets), *(s >> high for s in sets))
    syscall(_old("capset"), header, data)


def last_capability() -> int:
    """The highest capability number this kernel knows."""
    number = 0
    try:
        while True:
            prctl(PR_CAPBSET_READ, number + 1)
            number += 1
    except OSError:
        return number


def load_seccomp(program: bytes) -> None:
    """Put a BPF program (struct sock_filter[]) before all further system calls of this thread; seccomp(2)."""
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))  # struct sock_fprog
    syscall(_old("seccomp"), 1, 0, header)  # SECCOMP_SET_MODE_FILTER


def new_session_keyring() -> None:
    """Leave the session keyring inherited from whoever started us for a new, empty one; keyctl(2)."""
    syscall(_old("keyctl"), 1, None)  # KEYCTL_JOIN_SESSION_KEYRING


def syncfs(fd: int) -> None:
    """Write all that is cached of the file system of `fd` to its disk; syncfs(2)."""
    if _libc.syncfs(fd) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def sethostname(name: str) -> None:
    """Set the host name of this UTS namespace."""
    raw = os.fsencode(name)
    if _libc.sethostname(raw, len(raw)) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), name)


def setdomainname(name: str) -> None:
    """Set the NIS domain name of this UTS namespace."""
    raw = os.fsencode(name)
    if _libc.setdomainname(raw, len(raw)) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), name)
