"""Paths below a folder that somebody else fills: resolved by the kernel, never leading out of it."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

SYS_OPENAT2 = 437  # the same number on every architecture

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]


def open_in_root(root: int, path: str | bytes, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """Open `path` as a process chrooted to the folder `root` would, by openat2(2), closing on exec.

    Absolute paths, symbolic links and `..` end at `root`; magic links of procfs are refused with ELOOP.
    Raises OSError.
    """
    raw = os.fsencode(path)
    if b"\0" in raw:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve)
    for _ in range(1000):  # EAGAIN: something was renamed meanwhile, so the kernel cannot vouch for `..`
        fd: int = _syscall(SYS_OPENAT2, root, raw, how, len(how))
        if fd >= 0:
            return fd
        code = ctypes.get_errno()
        if code not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(code, os.strerror(code), path)


def remove_tree(parent: int, name: str, depth: int = 64) -> None:
    """Delete a file or a folder with all it holds, never through a symbolic link; OSError.

    Any depth will do: what lies deeper than `depth` is first moved up beside the folder's own entries, so
    that neither descriptors nor the interpreter's stack run out on a tree that was made to exhaust them.
    """
    try:
        os.unlink(name, dir_fd=parent)
        return
    except IsADirectoryError:
        pass
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        while _empty(fd, fd, depth):
            pass
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=parent)


def delete(path: str | os.PathLike[str]) -> None:
    """`remove_tree` by path; what is not there is no error. Raises OSError."""
    above, name = os.path.split(os.path.abspath(path))
    try:
        parent = os.open(above, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        remove_tree(parent, name)
    except FileNotFoundError:  # contextlib.suppress would be half of what a monitor imports
        return
    finally:
        os.close(parent)


def _empty(folder: int, top: int, depth: int) -> bool:
    """Delete what `folder` holds; True when something was moved up to `top`, to be deleted there."""
    moved = False
    for name in os.listdir(folder):
        try:
            os.unlink(name, dir_fd=folder)
            continue
        except IsADirectoryError:
            pass
        if depth == 0:
            os.rename(name, f".tiffin-{os.urandom(8).hex()}", src_dir_fd=folder, dst_dir_fd=top)
            moved = True
            continue
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            moved |= _empty(fd, top, depth - 1)
        finally:
            os.close(fd)
        os.rmdir(name, dir_fd=folder)
    return moved


PSEUDO = {
    0x9FA0: "proc",
    0x62656572: "sysfs",
    0x27E0EB: "cgroup",
    0x63677270: "cgroup2",
    0x1CD1: "devpts",
    0x19800202: "mqueue",
    0x64626720: "debugfs",
    0x74726163: "tracefs",
    0xCAFE4A11: "bpf",
    0x73636673: "securityfs",
}
"""File systems without files of their own, by statfs(2)'s f_type."""

_fstatfs = ctypes.CDLL(None, use_errno=True).fstatfs


def filesystem_type(fd: int) -> int:
    """The magic number of the file system that an open file is on, statfs(2)'s f_type; raises OSError."""
    buffer = ctypes.create_string_buffer(256)  # struct statfs; f_type is its first long
    if _fstatfs(fd, buffer) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    kind: int = struct.unpack_from("l", buffer)[0] & 0xFFFFFFFF
    return kind


def is_pseudo(fd: int) -> bool:
    """Whether an open file is of the kernel's making, such as one in /proc; raises OSError."""
    return filesystem_type(fd) in PSEUDO
