"""Reading a file of a container's root out of its layers, without mounting them."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from engine.kernel.paths import open_in_root

MOST = 1 << 20  # bytes read; a hostile image must not fill the engine's memory
OPAQUE = "trusted.overlay.opaque"


def read_text(layers: Sequence[Path], path: str) -> str:
    """The text of the regular file `path` in overlay `layers`, the topmost first; empty where there is none.

    A whiteout or an opaque folder in one layer hides the file in those below it. Symbolic links are followed
    within their own layer only, and never out of it.
    """
    for layer in layers:
        root = os.open(layer, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = _read(root, path)
            if found is not None:
                return found
            if _hides(root, path):
                return ""
        finally:
            os.close(root)
    return ""


def _read(root: int, path: str) -> str | None:
    try:
        # Not blocking: a FIFO in the place of the file would make the engine wait for its writer.
        fd = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        return file.read(MOST).decode(errors="replace")


def _hides(root: int, path: str) -> bool:
    """Whether this layer hides `path` in those below it: by a whiteout on the way or an opaque folder."""
    for part in [*reversed(PurePosixPath(path).parents), PurePosixPath(path)]:
        try:
            fd = open_in_root(root, str(part), os.O_PATH | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            status = os.fstat(fd)
            if not stat.S_ISDIR(status.st_mode):
                return True
            if _opaque(fd):
                return True
        finally:
            os.close(fd)
    return False


def _opaque(folder: int) -> bool:
    try:
        return os.getxattr(f"/proc/self/fd/{folder}", OPAQUE) == b"y"
    except OSError:
        return False
