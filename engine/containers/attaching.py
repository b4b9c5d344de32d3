"""Attaching to a container that is not started yet, so that its first byte of output is not missed."""

from __future__ import annotations

import asyncio

from engine.launch import Attachment


class LateAttachment:
    """An attachment that begins when the container starts; its reads and writes wait for that."""

    def __init__(self) -> None:
        self.made: asyncio.Future[Attachment] = asyncio.get_running_loop().create_future()

    async def read(self) -> tuple[str, bytes] | None:
        """As Attachment.read; None also when it was closed before the container started."""
        try:
            return await (await asyncio.shield(self.made)).read()
        except asyncio.CancelledError:
            if self.made.cancelled():
                return None
            raise

    async def write(self, data: bytes) -> None:
        """As Attachment.write."""
        await (await asyncio.shield(self.made)).write(data)

    async def close_write(self) -> None:
        """As Attachment.close_write."""
        await (await asyncio.shield(self.made)).close_write()

    def close(self) -> None:
        """Detach, or give up waiting for the start."""
        if self.made.done() and not self.made.cancelled():
            self.made.result().close()
        else:
            self.made.cancel()
