"""word: sends a small packet every 20 ms to the far end and waits for its echo."""

from __future__ import annotations

import socket
from typing import Any

from .pace import keep
from .wire import Wire

EVERY, PATIENCE = 0.02, 1.0  # seconds
PORT = 7


def play(wire: Wire) -> None:
    """Ask whenever it is told to."""
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.settimeout(PATIENCE)
    number = 0
    while True:
        order: dict[str, Any] = wire.await_go()
        line.connect((order["to"], PORT))

        def ask() -> bool:
            nonlocal number
            number += 1
            asked = number.to_bytes(8, "big")
            try:
                line.send(asked)
                while line.recv(64) != asked:  # the echo of one that was given up
                    pass
            except OSError:
                return False
            return True

        keep(wire, EVERY, ask)
