"""Taking a connection over from HTTP as a raw stream, for attach and exec (Docker's "hijacking")."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from engine.docker.logs import MULTIPLEXED, RAW, frame

CHUNK = 64 << 10


class Attached(Protocol):
    """The input and output of a program."""

    async def read(self) -> tuple[str, bytes] | None:
        """The next piece of output as its stream's name and bytes; None at the end."""

    async def write(self, data: bytes) -> None:
        """Send to standard input."""

    async def close_write(self) -> None:
        """End standard input."""

    def close(self) -> None:
        """Detach."""


class Hijacked(web.StreamResponse):
    """An answer given outside of aiohttp: nothing more is to be sent, the connection is to be closed."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send nothing."""
        self.force_close()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Send nothing."""


class _Raw(asyncio.StreamReaderProtocol):
    """Reads the raw bytes, and still tells aiohttp of the connection's end, which frees its side of it."""

    def __init__(self, reader: asyncio.StreamReader, http: asyncio.BaseProtocol) -> None:
        super().__init__(reader)
        self._http = http

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._http.connection_lost(exc)


class Hijack:
    """A connection from the moment of the upgrade on."""

    def __init__(
        self, request: web.Request, tty: bool, streams: Collection[str] = ("stdout", "stderr")
    ) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        self._tty = tty
        self._streams = streams
        self._transport = transport
        self._reader = asyncio.StreamReader(CHUNK)
        protocol = _Raw(self._reader, request.protocol)
        transport.set_protocol(protocol)
        self._writer = asyncio.StreamWriter(transport, protocol, self._reader, asyncio.get_running_loop())
        kind = RAW if tty else MULTIPLEXED
        upgraded = "upgrade" in request.headers.get("Connection", "").lower()
        head = "101 UPGRADED" if upgraded else "200 OK"
        fields = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if upgraded else ""
        self._writer.write(f"HTTP/1.1 {head}\r\nContent-Type: {kind}\r\n{fields}\r\n".encode())

    async def send(self, stream: str, data: bytes) -> None:
        """Send a piece of output, if the client wants its stream; waits while the client does not read."""
        if stream not in self._streams:
            return
        self._writer.write(data if self._tty else frame(stream, data))
        await self._writer.drain()

    async def pump(
        self, attached: Attached, input: bool, ended: Callable[[], Awaitable[object]] | None = None
    ) -> web.StreamResponse:
        """Pass bytes both ways until output and `ended` have ended, or the client is gone; then detach."""
        tasks = [asyncio.create_task(self._output(attached, ended)), asyncio.create_task(self._gone())]
        feeding = asyncio.create_task(self._input(attached)) if input else None
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            attached.close()
            for task in [*tasks, feeding]:
                if task is not None:
                    task.cancel()
            await asyncio.gather(*tasks, *([feeding] if feeding else []), return_exceptions=True)
        return self.close()

    def close(self) -> web.StreamResponse:
        """End the connection once what was sent is through; what the route has to return."""
        self._writer.close()
        return Hijacked()

    async def _output(self, attached: Attached, ended: Callable[[], Awaitable[object]] | None) -> None:
        while (piece := await attached.read()) is not None:
            await self.send(*piece)
        if ended is not None:
            await ended()

    async def _input(self, attached: Attached) -> None:
        while data := await self._reader.read(CHUNK):
            await attached.write(data)
        if not self._hung_up():  # a client that went away has detached, and its program's input stays open
            await attached.close_write()

    def _hung_up(self) -> bool:
        if self._transport.is_closing():
            return True
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), 0)
        return bool(poll.poll(0))

    async def _gone(self) -> None:
        """Return when the client has closed its end altogether.

        The loop reports only that nothing more is to be read, which is also how a client ends its program's
        input; an epoll without events reports the full hang-up, and is a descriptor the loop can watch.
        """
        loop = asyncio.get_running_loop()
        hung_up: asyncio.Future[None] = loop.create_future()
        with select.epoll() as watch:
            watch.register(self._transport.get_extra_info("socket").fileno(), 0)
            loop.add_reader(watch.fileno(), _resolve, hung_up)
            try:
                await hung_up
            finally:
                loop.remove_reader(watch.fileno())


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
