"""The line to the engine: JSON a line, both ways, over a unix socket that is mounted into the container."""

from __future__ import annotations

import json
import os
import select
import socket
from typing import Any

PATH = "/demo/wire"


class Wire:
    """One role's line. Its end is the role's end."""

    def __init__(self, who: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(PATH)
        self._rest = b""
        self.tell(who=who, lane=os.environ["LANE"])

    def tell(self, **message: Any) -> None:
        """Send a message; what cannot be sent has nobody left to hear it."""
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            os._exit(0)

    def order(self, seconds: float | None = None) -> dict[str, Any] | None:
        """The next order, or None where none comes within so many seconds."""
        while b"\n" not in self._rest:
            if seconds is not None and not select.select([self._socket], [], [], max(0.0, seconds))[0]:
                return None
            piece = self._socket.recv(65536)
            if not piece:
                os._exit(0)
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        order: dict[str, Any] = json.loads(line)
        return order

    def await_go(self) -> dict[str, Any]:
        """Wait for the order to go; any other is out of date by now."""
        while True:
            order = self.order()
            if order and order["do"] == "go":
                return order
