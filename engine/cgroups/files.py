"""Reading and writing one kernel file, and what its refusals mean to a user."""

from __future__ import annotations

import errno
import os

from engine.errors import KernelError, NotFound, NotPermitted, TiffinError, Unsupported


def read(path: str) -> str:
    """The content of a kernel file without its last line end; raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = bytearray()
        while chunk := os.read(fd, 65536):
            content += chunk
        return content.decode().rstrip("\n")
    finally:
        os.close(fd)


def write(path: str, value: str) -> None:
    """Write `value` in one write(2), as kernel files want it; raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def read_or(path: str, default: str = "") -> str:
    """The content, or `default` where the file is missing or does not answer."""
    try:
        return read(path)
    except OSError:
        return default


def refusal(doing: str, path: str, error: OSError, remedy: str = "") -> TiffinError:
    """The error a user sees for an OSError met while `doing` something (a phrase) to the file `path`."""
    if error.errno in (errno.ENOENT, errno.ENODEV):
        folder, name = os.path.split(path)
        if not os.path.isdir(folder):
            return NotFound(f"{doing}: the cgroup {folder} does not exist", "start the container first")
        return Unsupported(f"{doing}: this kernel has no {name} in {folder}", remedy or "see `tiffin doctor`")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return NotPermitted(f"{doing}: {os.strerror(error.errno)}", remedy or "run the engine as root")
    return KernelError.of(doing, error, remedy)
