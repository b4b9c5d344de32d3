"""The far end: echoes small packets, and takes in whatever is sent to it."""

from __future__ import annotations

import os
import socket
import threading

from .pinger import PORT as ECHO
from .uploader import PORT as DISCARD
from .wire import Wire

BUFFER = 64 << 10


def play(wire: Wire) -> None:
    """Serve until the line to the engine ends."""
    echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    echo.bind(("", ECHO))
    discard = socket.create_server(("", DISCARD))
    threading.Thread(target=answer, args=(echo,), daemon=True).start()
    threading.Thread(target=take_all, args=(discard,), daemon=True).start()
    wire.tell(ready=True)
    while True:
        wire.order()


def answer(echo: socket.socket) -> None:
    """Send back what comes."""
    while True:
        packet, sender = echo.recvfrom(2048)
        echo.sendto(packet, sender)


def take_all(server: socket.socket) -> None:
    """Read each connection to its end, and forget what was in it."""
    while True:
        line, _ = server.accept()
        threading.Thread(target=swallow, args=(line,), daemon=True).start()


def swallow(line: socket.socket) -> None:
    """Read to the end."""
    try:
        while line.recv(BUFFER):
            pass
    except OSError:
        os.close(line.detach())
