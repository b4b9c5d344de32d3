"""Layers that came in are unpacked at once, a bounded number at a time."""

from __future__ import annotations

import asyncio
import os

from engine.errors import TiffinError, revived
from engine.images import oci
from engine.images.exchange.documents import REMEDY
from engine.images.exchange.progress import Part
from engine.images.shelf import Shelf

AT_ONCE = os.cpu_count() or 1


class Unpackers:
    """What pulls and loads of one instance share."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._free = asyncio.Semaphore(AT_ONCE)

    async def unpack(self, layer: oci.Descriptor, diff_id: str, part: Part, doing: str) -> bool:
        """Have the layer of a blob ready; whether it was not there before. Raises what is wrong with it."""
        if self._shelf.layers.path(diff_id).is_dir():
            return False
        part.is_now("unpacking")
        try:
            async with self._free:
                await self._shelf.layers.ready(diff_id, self._shelf.store.path(layer.digest))
        except TiffinError as error:
            raise revived(error.kind, f"{doing}: {error.message}", REMEDY) from error
        part.is_now("done")
        return True
