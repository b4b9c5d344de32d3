"""The kernel's mount API on descriptors, so that no path is resolved twice: fsopen(2), open_tree(2).

A mount begins detached (`filesystem` or `clone_tree`), is given its attributes, and is then attached to a
descriptor of the place it belongs. Needs Linux 5.12. Every function raises OSError.
"""

from __future__ import annotations

import os
import struct

from engine.kernel.syscalls import AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, syscall

MOUNT_ATTR_RDONLY = 0x01
MOUNT_ATTR_NOSUID = 0x02
MOUNT_ATTR_NODEV = 0x04
MOUNT_ATTR_NOEXEC = 0x08
MOUNT_ATTR__ATIME = 0x70
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_NODIRATIME = 0x80

MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MNT_DETACH = 2

_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
_FSOPEN_CLOEXEC = _FSMOUNT_CLOEXEC = 1
_FSCONFIG_SET_FLAG, _FSCONFIG_SET_STRING, _FSCONFIG_CMD_CREATE = 0, 1, 6
_MOVE_MOUNT_F_EMPTY_PATH, _MOVE_MOUNT_T_EMPTY_PATH = 0x04, 0x40


def filesystem(kind: str, options: dict[str, str | None], attributes: int = 0) -> int:
    """A new, detached mount of a file system; an option of None is a flag. Returns its descriptor.

    The kernel explains a refusal in the context's message log; that text is the OSError's.
    """
    context = syscall("fsopen", os.fsencode(kind), _FSOPEN_CLOEXEC, about=kind)
    try:
        for key, value in options.items():
            if value is None:
                syscall("fsconfig", context, _FSCONFIG_SET_FLAG, os.fsencode(key), None, 0, about=key)
            else:
                text = os.fsencode(value)
                syscall("fsconfig", context, _FSCONFIG_SET_STRING, os.fsencode(key), text, 0, about=key)
        syscall("fsconfig", context, _FSCONFIG_CMD_CREATE, None, None, 0, about=kind)
        return syscall("fsmount", context, _FSMOUNT_CLOEXEC, attributes, about=kind)
    except OSError as error:
        raise OSError(error.errno, _explanation(context) or error.strerror, error.filename) from None
    finally:
        os.close(context)


def _explanation(context: int) -> str:
    try:
        return os.read(context, 4096).decode(errors="replace").strip().removeprefix("e ")
    except OSError:  # ENODATA: the file system said nothing
        return ""


def clone_tree(fd: int, path: str = "", recursive: bool = False) -> int:
    """A detached copy of the mount at `path` below `fd` (or of `fd` itself), as for a bind mount."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | (AT_RECURSIVE if recursive else 0)
    return syscall(
        "open_tree", fd, os.fsencode(path), flags | (0 if path else AT_EMPTY_PATH), about=path or None
    )


def set_attributes(
    fd: int, add: int = 0, remove: int = 0, propagation: int = 0, recursive: bool = False
) -> None:
    """Add and remove MOUNT_ATTR_ flags of the mount `fd` (and those below it); mount_setattr(2)."""
    if add & MOUNT_ATTR__ATIME:
        remove |= MOUNT_ATTR__ATIME  # the kernel wants the whole field cleared before it is set
    attr = struct.pack("QQQQ", add, remove, 0, 0)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    syscall("mount_setattr", fd, b"", flags, attr, len(attr))


def attach(mount: int, target: int) -> None:
    """Attach the detached `mount` on top of what the descriptor `target` stands for; move_mount(2)."""
    syscall("move_mount", mount, b"", target, b"", _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH)


def mount_with_options(kind: str, path: str, flags: int, options: str) -> None:
    """Mount a file system on `path` the old way, which takes a page of options at once; mount(2)."""
    name = os.fsencode(kind)
    syscall("mount", name, os.fsencode(path), name, flags, os.fsencode(options), about=path)


def set_propagation(path: str, flags: int) -> None:
    """Change how mount events spread from `path`: MS_PRIVATE and the like, with MS_REC; mount(2)."""
    syscall("mount", None, os.fsencode(path), None, flags, None, about=path)


def detach(path: str) -> None:
    """Take the mount at `path` and all below it out of this namespace; umount2(2) with MNT_DETACH."""
    syscall("umount2", os.fsencode(path), MNT_DETACH, about=path)


def read_only_view(path: str) -> int:
    """A detached, read-only bind of `path`: what is executed through it cannot be reached for writing."""
    fd = clone_tree(AT_FDCWD, path)
    try:
        set_attributes(fd, MOUNT_ATTR_RDONLY)
    except OSError:
        os.close(fd)
        raise
    return fd
