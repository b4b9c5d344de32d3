"""inotify(7): whether anything happened in some folders."""

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
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise _error()
        for folder in folders:
            if (
                _libc.inotify_add_watch(self._fd, os.fsencode(folder), _CHANGES | IN_ONLYDIR | IN_DONT_FOLLOW)
                < 0
            ):
                error = _error(folder)
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):  # deleted meanwhile
                    self.close()
                    raise error

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


def _error(*what: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code), *what)
