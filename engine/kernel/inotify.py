"""Whether anything happened in some folders; inotify(7)."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable

IN_MODIFY = 0x2
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


class Queue:
    """What happens in folders that come and go, told by the watch descriptors that `add` returned.

    One for a whole process: the kernel gives a user 128 (fs.inotify.max_user_instances).
    """

    def __init__(self) -> None:
        self._fd = _answer(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self) -> int:
        """Readable when something happened."""
        return self._fd

    def add(self, folder: str, events: int) -> int:
        """Watch a folder; the same one again gives the same watch. Raises OSError where it is gone."""
        return _answer(_libc.inotify_add_watch(self._fd, os.fsencode(folder), events | IN_ONLYDIR), folder)

    def remove(self, watch: int) -> None:
        """Watch it no more; nothing where the folder is gone and its watch with it."""
        _libc.inotify_rm_watch(self._fd, watch)

    def happened(self) -> set[int]:
        """The watches in whose folders something happened since this was last asked."""
        found: set[int] = set()
        while True:
            try:
                data = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return found
            at = 0
            while at < len(data):  # struct inotify_event
                watch, _mask, _cookie, length = struct.unpack_from("iIII", data, at)
                found.add(watch)
                at += 16 + length

    def close(self) -> None:
        """Stop watching."""
        os.close(self._fd)


def _answer(result: int, about: str | None = None) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), about)
    return result
