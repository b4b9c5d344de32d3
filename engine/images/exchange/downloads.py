"""Blobs on their way in from a registry: what is not whole yet is kept, so that a later pull goes on with it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from engine.errors import Corrupt, KernelError
from engine.images import oci
from engine.images.exchange.progress import Part
from engine.images.registry.repository import Repository, persist
from engine.images.registry.session import Transient
from engine.images.shelf import in_thread
from engine.images.store import Store

BATCH = 1 << 20  # bytes that are hashed and written in one go
KEPT = 7 * 86400.0  # seconds after which what nobody went on with is deleted


class Downloads:
    """The folder of blobs that are not whole."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self._store = store
        self._fetched: dict[str, tuple[asyncio.Lock, list[None]]] = {}  # with a mark for each that wants it

    def open(self) -> None:
        """Make the folder; delete what nobody went on with. Raises KernelError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in self.folder.iterdir():
                if time.time() - path.stat().st_mtime > KEPT:
                    path.unlink()
        except OSError as error:
            raise KernelError.of(f"opening {self.folder}", error) from error

    async def fetch(self, repository: Repository, blob: oci.Descriptor, part: Part, doing: str) -> bool:
        """Have the blob in the store; whether it was not there before.

        Raises Corrupt where it is not what its descriptor says, Unreachable and others of the registry,
        KernelError. Two who want the same blob fetch it once.
        """
        async with self._alone(blob.digest):
            path = self._store.path(blob.digest)
            if path.exists():
                if path.stat().st_size != blob.size:
                    raise _wrong(doing, blob, f"{path.stat().st_size} bytes")
                part.is_now("there")
                return False
            with Incoming(self.folder, blob) as incoming:
                try:
                    await incoming.resume()
                    await self._receive(repository, incoming, part, doing)
                except Corrupt:
                    incoming.discard()
                    raise
                await in_thread(incoming.keep, path)
        part.is_now("done")
        return True

    @contextlib.asynccontextmanager
    async def _alone(self, digest: str) -> AsyncIterator[None]:
        lock, users = self._fetched.setdefault(digest, (asyncio.Lock(), []))
        users.append(None)
        try:
            async with lock:
                yield
        finally:
            users.pop()
            if not users:
                del self._fetched[digest]

    async def _receive(self, repository: Repository, incoming: Incoming, part: Part, doing: str) -> None:
        blob = incoming.blob
        old = incoming.size  # from an earlier pull, perhaps before a power cut: it may not be what was sent

        async def attempt() -> None:
            if incoming.size == blob.size:
                return
            note = f"goes on at byte {incoming.size}" if incoming.size else ""
            async with repository.blob(blob.digest, incoming.size) as response:
                if not _goes_on(response, incoming.size):
                    await in_thread(incoming.restart)
                    note = ""
                if response.status == 416:
                    raise Transient(f"{doing}: {blob.digest}: it cannot be continued")
                if (whole := _whole(response)) not in (None, blob.size):
                    raise _wrong(doing, blob, f"{whole} bytes")
                part.is_now("moving", note)
                await _pour(response, incoming, part, doing)
            if incoming.size < blob.size:
                raise Transient(f"{doing}: {blob.digest}: it broke off")

        def heard(why: str) -> None:
            part.is_now("retrying", why)

        await persist(attempt, heard, lambda: incoming.most)
        if incoming.digest() != blob.digest and old:
            await in_thread(incoming.restart)
            await persist(attempt, heard, lambda: incoming.most)
        if incoming.digest() != blob.digest:
            raise _wrong(doing, blob, f"data with the digest {incoming.digest()}")


async def _pour(response: aiohttp.ClientResponse, incoming: Incoming, part: Part, doing: str) -> None:
    """All of the answer into the file: a batch is hashed and written while the next one arrives."""
    batch: list[bytes] = []
    held = 0
    writing: asyncio.Task[None] | None = None
    try:
        async for piece in response.content.iter_any():
            batch.append(piece)
            held += len(piece)
            if incoming.arrived + held > incoming.blob.size:
                raise _wrong(doing, incoming.blob, "more than that")
            part.moved(incoming.arrived + held)
            if held >= BATCH:
                if writing:
                    await writing
                writing = _write(incoming, batch, held)
                batch, held = [], 0
    finally:
        if writing:
            await writing
        if batch:
            await _write(incoming, batch, held)


def _write(incoming: Incoming, batch: list[bytes], held: int) -> asyncio.Task[None]:
    incoming.arrived += held
    return asyncio.create_task(in_thread(incoming.write, batch))


def _goes_on(response: aiohttp.ClientResponse, offset: int) -> bool:
    """Whether an answer begins at this byte."""
    if response.status == 206:
        return response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
    return offset == 0


def _whole(response: aiohttp.ClientResponse) -> int | None:
    """How many bytes the whole blob has, as the answer's head says."""
    if response.status == 206:
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        return int(total) if total.isdigit() else None
    return response.content_length


def _wrong(doing: str, blob: oci.Descriptor, found: str) -> Corrupt:
    return Corrupt(
        f"{doing}: the blob {blob.digest} should have {blob.size} bytes, and what came is {found}",
        "try again; if it stays so, ask those who run that registry",
    )


class Incoming:
    """A file that becomes a blob; left as it is, for another time, unless it is kept or discarded."""

    def __init__(self, folder: Path, blob: oci.Descriptor) -> None:
        self.blob = blob
        self.path = folder / blob.digest.removeprefix("sha256:")
        self.size = 0  # bytes written and hashed
        self.most = 0  # bytes there ever were
        self.arrived = 0  # bytes that are written or about to be
        self._hash = hashlib.sha256()
        self._fd = -1

    def __enter__(self) -> Incoming:
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise KernelError.of(f"opening {self.path}", error) from error
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    async def resume(self) -> None:
        """Take up what is there already."""
        await in_thread(self._read)

    def _read(self) -> None:
        if os.fstat(self._fd).st_size > self.blob.size:
            self.restart()
        while piece := os.pread(self._fd, BATCH, self.size):
            self._hash.update(piece)
            self.size += len(piece)
        self.arrived = self.most = self.size

    def restart(self) -> None:
        """Forget what is there."""
        os.ftruncate(self._fd, 0)
        self.size = self.arrived = 0
        self._hash = hashlib.sha256()

    def write(self, batch: list[bytes]) -> None:
        """Add what arrived."""
        for piece in batch:
            view = memoryview(piece)
            while view:
                try:
                    count = os.pwrite(self._fd, view, self.size)
                except OSError as error:
                    raise KernelError.of(f"writing {self.path}", error, "free some space") from error
                self._hash.update(view[:count])
                self.size += count
                view = view[count:]
        self.most = max(self.most, self.size)

    def digest(self) -> str:
        """Of what is there."""
        return f"sha256:{self._hash.hexdigest()}"

    def keep(self, path: Path) -> None:
        """Make it the blob at `path`, on disk when this returns."""
        try:
            os.fsync(self._fd)
            os.rename(self.path, path)
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise KernelError.of(f"storing the blob {self.blob.digest}", error) from error

    def discard(self) -> None:
        """Delete it."""
        self.path.unlink(missing_ok=True)
