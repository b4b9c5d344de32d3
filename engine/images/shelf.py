"""The store and the unpacked layers as one: what comes in is safe until it is entered, what goes is swept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import ParamSpec, TypeVar

from engine.errors import Corrupt
from engine.images.fitting import Fitting
from engine.images.layers import Layers
from engine.images.store import Store
from engine.instance import Instance

P = ParamSpec("P")
T = TypeVar("T")


class Shelf:
    """Where an instance's images are; what adds and removes them works on this."""

    def __init__(self, instance: Instance) -> None:
        self.store = Store(instance.state / "images")
        self.layers = Layers(instance)
        self.fitting = Fitting(self.layers)
        self._lock = asyncio.Lock()  # of index.json
        self._incoming = 0  # images on their way in: what they may share is not deleted meanwhile
        self._garbage: set[str] = set()  # blobs, by digest
        self._spare: set[str] = set()  # unpacked layers, by diff id

    @contextlib.asynccontextmanager
    async def coming(self) -> AsyncIterator[None]:
        """Nothing is deleted inside the block: an image that is on its way in may share it."""
        self._incoming += 1
        try:
            yield
        finally:
            self._incoming -= 1
            await self.collect()

    async def change(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what changes index.json in a thread, one at a time, to its end."""
        async with self._lock:
            return await in_thread(function, *args, **kwargs)

    def give_up(self, blobs: Iterable[str], diff_ids: Iterable[str]) -> None:
        """Name what may be deleted at the next `collect`, unless something needs it by then."""
        self._garbage.update(blobs)
        self._spare.update(diff_ids)

    async def collect(self) -> None:
        """Delete what was given up, unless something is on its way in that may share it."""
        async with self._lock:
            if self._incoming == 0 and (self._garbage or self._spare):
                garbage, self._garbage = self._garbage, set()
                spare, self._spare = self._spare, set()
                wanted = self.diff_ids()
                await in_thread(self.store.delete, garbage)
                if wanted is not None:
                    await in_thread(self.layers.delete, spare - wanted)

    def diff_ids(self) -> set[str] | None:
        """Those of all images; None where that cannot be told."""
        with contextlib.suppress(Corrupt):
            return {diff_id for image in self.store.images() for diff_id in image.config.rootfs.diff_ids}
        return None


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run it beside the loop, to its end even if the caller is cancelled, so that a lock covers all of it."""
    task = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
