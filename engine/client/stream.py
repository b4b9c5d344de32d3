"""A connection that has become a raw stream: a container's or an exec's input and output."""

from __future__ import annotations

import socket
import struct
from types import TracebackType
from typing import Self

from engine.client.http import CHUNK, Response, gone

NAMES = {0: "stdout", 1: "stdout", 2: "stderr"}  # Docker's stream numbers; 0 is an echo of stdin
RAW = "application/vnd.docker.raw-stream"


class Stream:
    """Reads and writes of one attached program; a context manager, and selectable by its fileno.

    Nothing is read ahead: when fileno is readable `read` returns soon, when it is not nothing is left over.
    """

    def __init__(self, response: Response) -> None:
        self._connection = response.connection
        self._response = response
        self.tty = response.headers.get("content-type") == RAW

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """The socket's descriptor, for select."""
        return self._connection.fileno()

    def read(self) -> tuple[str, bytes] | None:
        """The next piece as ("stdout" or "stderr", bytes), waiting for it; None at the end.

        A terminal has only stdout.
        """
        try:
            if self.tty:
                data = self._connection.recv(CHUNK)
                return ("stdout", data) if data else None
            head = self._exactly(8, may_end=True)
            if not head:
                return None
            kind, size = struct.unpack(">BxxxI", head)
            return NAMES[kind], self._exactly(size)
        except OSError as error:
            raise gone(error) from error

    def write(self, data: bytes) -> None:
        """Send to standard input; waits while the program does not read."""
        try:
            self._connection.sendall(data)
        except OSError as error:
            raise gone(error) from error

    def close_write(self) -> None:
        """End of standard input; output goes on."""
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise gone(error) from error

    def close(self) -> None:
        """Detach; the program goes on."""
        self._response.close()

    def _exactly(self, size: int, may_end: bool = False) -> bytes:
        data = self._connection.recv(size, socket.MSG_WAITALL) if size else b""
        if len(data) < size and not (may_end and not data):
            raise gone()
        return data
