"""The monitor's record of its program, `state.json`: replaced whole at every transition."""

from __future__ import annotations

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
        temporary = f"{self._path}.new"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            os.write(fd, self.encoded())
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

    def encoded(self) -> bytes:
        """The record as JSON."""
        return wire.dumps(self.fields).encode()
