"""Kernel files kept open, for opening costs ten times what reading does."""

from __future__ import annotations

import errno
import os
import resource
import threading
from collections.abc import Callable
from os import pread
from typing import Generic, TypeVar

T = TypeVar("T")

SIZE = 8192  # bytes; most files are far shorter
SHARE = 0.7  # of RLIMIT_NOFILE; a container takes 13 here, and 3 elsewhere (pidfd, netns, monitor)


class Gone(Exception):
    """The cgroup behind a kept descriptor was removed."""


class Budget:
    """How many descriptors may still be kept.

    Every file is read at every tick, so closing the least recently read for the next one would open and close
    all of them all the time: those that come first are kept, those beyond are opened for each reading.
    """

    def __init__(self, limit: int | None = None) -> None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._lock = threading.Lock()  # targets are added beside a tick that runs in another thread
        self.left = int(soft * SHARE) if limit is None else limit

    def take(self) -> bool:
        """Whether one more may be kept."""
        with self._lock:
            if self.left <= 0:
                return False
            self.left -= 1
            return True

    def give(self) -> None:
        """One was closed."""
        with self._lock:
            self.left += 1


class Spare(Budget):
    """What others leave: only while more than a quarter of `budget` is free is anything kept for this one."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(budget.left)
        self._budget = budget
        self._reserve = budget.left // 4

    def take(self) -> bool:
        """Whether one more may be kept."""
        return self._budget.left > self._reserve and self._budget.take()

    def give(self) -> None:
        """One was closed."""
        self._budget.give()


class Kept(Generic[T]):
    """One file and its parser. What did not change since the last reading is not parsed again, and is the
    same object. An empty path is a file this host does not have.
    """

    __slots__ = ("_absent", "_budget", "_fd", "_parse", "_raw", "_value", "path")

    def __init__(self, path: str, parse: Callable[[bytes], T], budget: Budget) -> None:
        self.path = path
        self._parse = parse
        self._budget = budget
        self._fd = -1
        self._absent = not path
        self._raw: bytes | None = None  # an empty file is content too
        self._value: T | None = None

    def read(self) -> T | None:
        """The parsed content; None where this kernel has no such file or does not let it be read.

        Raises Gone once the cgroup of the file was removed, also when another one of that name exists by now.
        """
        if self._absent:
            return None
        try:
            raw = pread(self._fd, SIZE, 0)
            if len(raw) == SIZE:
                raw = _whole(self._fd)
        except OSError as error:
            if self._fd >= 0:
                self.close()
                if error.errno == errno.ENODEV:
                    raise Gone(self.path) from None
                self._absent = True  # EOPNOTSUPP: pressure that is switched off
                return None
            first = self._open()
            if first is None:
                return None
            raw = first
        if raw != self._raw:
            self._value = self._parse(raw)
            self._raw = raw
        return self._value

    def close(self) -> None:
        """Give the descriptor back; the next reading opens the file anew."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._budget.give()

    def _open(self) -> bytes | None:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                return None
            if not os.path.isdir(os.path.dirname(self.path)):
                raise Gone(self.path) from None
            self._absent = True
            return None
        try:
            raw = _whole(fd)
        except OSError:
            self._absent = True
            os.close(fd)
            return None
        if self._budget.take():
            self._fd = fd
        else:
            os.close(fd)
        return raw


def _whole(fd: int) -> bytes:
    content = b""
    while chunk := pread(fd, SIZE, len(content)):
        content += chunk
    return content
