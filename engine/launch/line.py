"""Connections to monitors and to the launcher on the engine's asyncio loop."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

from engine.errors import KernelError, NotFound

PACKET = 1 << 16  # bytes, the longest


class Line:
    """A SOCK_SEQPACKET connection; one task may receive while another sends."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._waiting: set[asyncio.Future[None]] = set()

    @classmethod
    def to(cls, path: Path) -> Line:
        """Connect to a socket by a path of any length; NotFound where nobody listens."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                connection.connect(f"/proc/self/fd/{folder}/{path.name}")  # sun_path holds 108 bytes only
            finally:
                os.close(folder)
        except OSError as error:
            connection.close()
            if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
                raise NotFound(f"no monitor listens at {path}") from None
            raise KernelError.of(f"connecting to the monitor at {path}", error) from None
        return cls(connection)

    @classmethod
    def pair(cls) -> tuple[Line, socket.socket]:
        """A new connection: our end, and the one to hand to another process."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), theirs

    async def receive(self) -> tuple[bytes, list[int]]:
        """The next packet and the descriptors with it; an empty one once either end is closed."""
        while self._connection.fileno() >= 0:
            try:
                packet, fds, _flags, _address = socket.recv_fds(self._connection, PACKET, 4)
            except BlockingIOError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader)
            except ConnectionResetError:  # it left something of ours unread; what it sent is still to come
                continue
            else:
                for fd in fds:
                    os.set_inheritable(fd, False)
                return packet, fds
        return b"", []

    async def send(self, packet: bytes, fds: list[int] | None = None) -> bool:
        """Send a packet, waiting while the other end is slow; False once either end is closed."""
        while self._connection.fileno() >= 0:
            try:
                if fds:
                    socket.send_fds(self._connection, [packet], fds)
                else:
                    self._connection.send(packet)
            except BlockingIOError:
                await self._ready(self._loop.add_writer, self._loop.remove_writer)
            except OSError:
                return False
            else:
                return True
        return False

    def close(self) -> None:
        """Close it; whoever waits to receive or send is told so."""
        fd = self._connection.fileno()
        if fd >= 0:
            self._loop.remove_reader(fd)  # before the number can be used again
            self._loop.remove_writer(fd)
            self._connection.close()
            for future in self._waiting:
                _resolve(future)

    async def _ready(self, add: Callable[..., object], remove: Callable[[int], object]) -> None:
        future: asyncio.Future[None] = self._loop.create_future()
        fd = self._connection.fileno()
        add(fd, _resolve, future)
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)
            if self._connection.fileno() >= 0:
                remove(fd)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
