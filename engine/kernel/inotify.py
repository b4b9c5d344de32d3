"""Whether anything happened in some folders; inotify(7)."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable

IN_ATTRIB = 0x4
IN_CLOSE_WRITE = 0x8
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_ONLYDIR = 0x01000000
IN_DONT_FOLLOW = 0x02000000

_CHANGES = IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Notices files that appear, are written or change their mode in the watched folders, not below them.

    Raises OSError, for instance ENOSPC or EMFILE where the host's watches are used up (fs.inotify in sysctl).
    """

    def __init__(self, folders: Iterable[str]) -> None:
        self._fd = _answer(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            for folder in folders:
                self._add(folder)
        except OSError:
            self.close()
            raise

    def _add(self, folder: str) -> None:
        try:
            _answer(
                _libc.inotify_add_watch(
                    self._fd, os.fsencode(folder), _CHANGES | IN_ONLYDIR | IN_DONT_FOLLOW
                ),
                folder,
            )
        except OSError as e:
            if e.errno not in (errno.ENOENT, errno.ENOTDIR):  # deleted meanwhile
                raise

    def changed(self) -> bool:
        """Whether something happened since the last time this was asked."""
        happened = False
        while True:
            try:
                happened |= bool(os.read(self._fd, 1 << 16))
            except BlockingIOError:
                return happened

    def close(self) -> None:
        """Stop watching."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _answer(result: int, about: str | None = None) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), about)
    return result
