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

_SIGKILL, _SIGCHLD, _SIGSTOP = 9, 17, 19  # the signal module would import enum
_SIG_SETMASK = 2

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000

# Numbers below 424 differ between architectures; from there on all share one.
_X86_64 = {
    "rt_sigaction": 13, "rt_sigprocmask": 14,
    "prctl": 157, "mount": 165, "umount2": 166, "sethostname": 170, "setdomainname": 171, "unshare": 272,
    "capset": 126, "pivot_root": 155, "keyctl": 250, "syncfs": 306, "setns": 308, "seccomp": 317, "bpf": 321,
}  # fmt: skip
_ARM64 = {
    "rt_sigaction": 134, "rt_sigprocmask": 135,
    "prctl": 167, "mount": 40, "umount2": 39, "sethostname": 161, "setdomainname": 162, "unshare": 97,
    "capset": 91, "pivot_root": 41, "keyctl": 219, "syncfs": 267, "setns": 268, "seccomp": 277, "bpf": 280,
}  # fmt: skip
_SHARED = {
    "pidfd_send_signal": 424, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431,
    "fsmount": 432, "clone3": 435, "close_range": 436, "pidfd_getfd": 438, "mount_setattr": 442,
}  # fmt: skip
NUMBERS = {"x86_64": _X86_64, "aarch64": _ARM64}.get(os.uname().machine, {}) | _SHARED

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = [ctypes.c_long] + [ctypes.c_void_p] * 6
# clone must not give up the interpreter's lock: the child has no other thread that could hand it back.
_locked_syscall = ctypes.PyDLL(None, use_errno=True).syscall
_locked_syscall.restype = ctypes.c_long
_locked_syscall.argtypes = _syscall.argtypes

Argument = int | bytes | None | ctypes.Array  # type: ignore[type-arg]


def syscall(name: str, *args: Argument, about: object = None) -> int:
    """The kernel's answer to one system call; raises OSError naming `about`, usually a path."""
    if name not in NUMBERS:
        raise OSError(38, f"{name} is not known for {os.uname().machine}")  # ENOSYS
    result: int = _syscall(NUMBERS[name], *args, *(0,) * (6 - len(args)))
    if result < 0:
        raise _error(about)
    return result


def _error(about: object = None) -> OSError:
    error = ctypes.get_errno()
    return OSError(error, os.strerror(error), about)


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
    pid: int = _locked_syscall(NUMBERS["clone3"], args, len(args), 0, 0, 0, 0)
    if pid < 0:
        raise _error()
    return pid, pidfd.value if pid else -1


def unshare(flags: int) -> None:
    """Move this thread into new namespaces; unshare(2)."""
    syscall("unshare", flags)


def setns(fd: int, flags: int) -> None:
    """Move this thread into the namespace `fd` or, of a pidfd, into those in `flags`; setns(2)."""
    syscall("setns", fd, flags)


def close_range(first: int, last: int = 0xFFFFFFFF, flags: int = 0) -> None:
    """Close, or with CLOSE_RANGE_CLOEXEC mark, all descriptors from `first` to `last`; close_range(2)."""
    syscall("close_range", first, last, flags)


def pivot_root(new: str, old: str) -> None:
    """Make the mount at `new` this namespace's root and put the present one at `old`; pivot_root(2)."""
    syscall("pivot_root", os.fsencode(new), os.fsencode(old), about=new)


def prctl(option: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0) -> int:
    """One prctl(2) operation whose arguments are numbers."""
    return syscall("prctl", option, a, b, c, d)


def reset_signals() -> None:
    """Give every signal its default action and block none; rt_sigaction(2), rt_sigprocmask(2).

    The C library, and so Python, refuses to touch 32 and 33, which it uses itself; whoever started us may yet
    have had them ignored or blocked, and exec hands that on.
    """
    for number in range(1, 65):
        if number not in (_SIGKILL, _SIGSTOP):
            syscall(
                "rt_sigaction", number, bytes(32), None, 8
            )  # struct sigaction: SIG_DFL, no flags, no mask
    syscall("rt_sigprocmask", _SIG_SETMASK, bytes(8), None, 8)


class Title:
    """What ps and /proc/PID/cmdline show of this process: written over its arguments, once they are read."""

    def __init__(self) -> None:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        self._start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end of proc_pid_stat(5)
        self._room = end - self._start - 1

    def set(self, text: str) -> None:
        """Show `text`, as far as there is room; its first 15 bytes become the comm, too."""
        raw = os.fsencode(text)[: self._room]
        ctypes.memmove(self._start, raw.ljust(self._room, b"\0"), self._room)
        syscall("prctl", PR_SET_NAME, raw[:15])


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """Set this thread's capability sets, each a bit mask by capability number; capset(2)."""
    low, high = 0xFFFFFFFF, 32
    header = struct.pack("Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
    sets = (effective, permitted, inheritable)
    data = struct.pack("6I", *(s & low for s in sets), *(s >> high for s in sets))
    syscall("capset", header, data)


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
    syscall("seccomp", 1, 0, header)  # SECCOMP_SET_MODE_FILTER


def new_session_keyring() -> None:
    """Leave the session keyring inherited from whoever started us for a new, empty one; keyctl(2)."""
    syscall("keyctl", 1, None)  # KEYCTL_JOIN_SESSION_KEYRING


def syncfs(fd: int) -> None:
    """Write all that is cached of the file system of `fd` to its disk; syncfs(2)."""
    syscall("syncfs", fd)


def sethostname(name: str) -> None:
    """Set the host name of this UTS namespace."""
    raw = os.fsencode(name)
    syscall("sethostname", raw, len(raw), about=name)


def setdomainname(name: str) -> None:
    """Set the NIS domain name of this UTS namespace."""
    raw = os.fsencode(name)
    syscall("setdomainname", raw, len(raw), about=name)
