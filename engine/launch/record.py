"""The monitor's record of its program, `state.json`: replaced whole at every transition."""

from __future__ import annotations

import errno
import os

from engine.launch import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class RecordFile:
    """One state file; what it says changes only by `write`."""

    def __init__(self, path: str, fields: dict[str, Any]) -> None:
        self._path = path
        self.fields = fields

    def write(self, durable: bool = False, **changes: Any) -> None:
        """Replace the file by one with `changes`; `durable` waits until it would survive a power cut."""
        self.fields.update(changes)
        text = self.encoded()
        try:
            self._replace(text, durable)
        except OSError:
            try:
                self._overwrite(text)
            except OSError as error:  # even then the program and who watches it need their monitor
                os.write(2, f"writing {self._path}: {error}\n".encode())

    def _replace(self, text: bytes, durable: bool) -> None:
        temporary = f"{self._path}.new"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            if os.write(fd, text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), temporary)
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, self._path)
        if durable:
            folder = os.open(os.path.dirname(self._path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _overwrite(self, text: bytes) -> None:
        """Write into the blocks that the file has already: a full disk must not cost an exit code."""
        fd = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(fd, text.ljust(os.fstat(fd).st_size), 0)  # JSON may end in blanks
            os.fsync(fd)
        finally:
            os.close(fd)

    def encoded(self) -> bytes:
        """The record as JSON."""
        return wire.dumps(self.fields).encode()
