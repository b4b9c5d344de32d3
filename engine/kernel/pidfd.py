"""Processes by descriptor, which a reused number cannot mislead: pidfd_open(2), pidfd_send_signal(2)."""

from __future__ import annotations

import fcntl
import os
import struct

from engine.kernel.syscalls import syscall

_PIDFD_GET_INFO = 0xC000FF0B | 64 << 16  # _IOWR(0xFF, 11, the first 64 bytes of struct pidfd_info)
_PIDFD_INFO_EXIT = 1 << 3


def open_pid(pid: int) -> int:
    """A pidfd of `pid`; poll says readable once it has ended."""
    return os.pidfd_open(pid)


def send_signal(pidfd: int, signal: int) -> None:
    """Send a signal; ProcessLookupError once the process has been reaped."""
    syscall("pidfd_send_signal", pidfd, signal, None, 0)


def get_descriptor(pidfd: int, fd: int) -> int:
    """A copy of descriptor `fd` of another process; pidfd_getfd(2)."""
    return syscall("pidfd_getfd", pidfd, fd, 0)


def exit_code(pidfd: int) -> int | None:
    """How the process ended, 128 + signal when killed by one, even after its parent reaped it.

    None while it lives, and on kernels before 6.15, which do not keep it.
    """
    buffer = bytearray(struct.pack("Q56x", _PIDFD_INFO_EXIT))
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, buffer)
    except OSError:
        return None
    mask, status = struct.unpack_from("Q", buffer)[0], struct.unpack_from("i", buffer, 60)[0]
    if not mask & _PIDFD_INFO_EXIT:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def status_of_zombie(pid: int, start: int) -> int | None:
    """How a process ended that started at `start` and is not reaped yet; else None. Field 52 of proc_pid_stat(5)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[0] != b"Z" or int(fields[19]) != start:
        return None
    code = os.waitstatus_to_exitcode(int(fields[49]))
    return code if code >= 0 else 128 - code


def start_time(pid: int) -> int:
    """When `pid` started, in clock ticks since boot: with the boot id and its number it names one process.

    ProcessLookupError where there is none. Field 22 of proc_pid_stat(5).
    """
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ProcessLookupError(3, "no such process", str(pid)) from None
    try:
        stat = os.read(fd, 4096)
    finally:
        os.close(fd)
    return int(stat[stat.rindex(b")") + 2 :].split()[19])


def boot_id() -> str:
    """The kernel's name for this boot."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()
