"""Writing files, and replacing one as a whole: a reader sees the old content or the new, never a part."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write(path: Path | str, data: bytes | str, *, mode: int = 0o600, sync: bool = False) -> None:
    """Write a whole file, made where it is missing; with `sync` it is on disk when this returns."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with open(fd, "wb", buffering=0) as file:
        view = memoryview(data.encode() if isinstance(data, str) else data)
        while view:
            view = view[file.write(view) :]
        if sync:
            os.fsync(fd)


def replace(path: Path | str, data: bytes | str, *, mode: int = 0o600, sync: bool = False) -> None:
    """Put `data` in the place of the file at `path`.

    With `sync` it also survives a power cut: fsync of the file before, of the folder after the rename. Without, it
    survives the death of any process, which is all that most records need.
    """
    path = os.fspath(path)
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        write(temporary, data, mode=mode, sync=sync)
        os.rename(temporary, path)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if sync:
        folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
