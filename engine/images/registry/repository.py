"""One repository of a registry: its manifests and blobs, coming and going. Spec: OCI distribution-spec 1.1."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from engine.errors import Corrupt
from engine.images import oci
from engine.images.registry.reference import Reference
from engine.images.registry.session import Session, Transient, failure
from engine.images.store import DOCUMENT_LIMIT

ACCEPT = ", ".join((*oci.MANIFESTS, *oci.INDEXES))
ATTEMPTS = 6  # in a row without a byte gained
PAUSE = 0.5  # seconds before the second attempt, then twice as long each time

T = TypeVar("T")
Hear = Callable[[str], None]


class Document(NamedTuple):
    """A manifest or an index as the registry has it, byte for byte."""

    media_type: str
    digest: str
    data: bytes


class Repository:
    """What is asked of one repository; `sources` are others on the same registry to take blobs from."""

    def __init__(
        self, session: Session, reference: Reference, *, push: bool = False, sources: Collection[str] = ()
    ) -> None:
        self._session = session
        self._reference = reference
        self._path = quote(reference.repository)
        scopes = [f"repository:{reference.repository}:{'pull,push' if push else 'pull'}"]
        self._scopes = (*scopes, *(f"repository:{source}:pull" for source in sorted(sources)))

    def _request(
        self, method: str, where: str | URL, what: str, **more: object
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        url = self._session.url(f"{self._path}/{where}") if isinstance(where, str) else where
        return self._session.request(method, url, what, scopes=self._scopes, **more)  # type: ignore[arg-type]

    # ── coming ──────────────────────────────────────────────────────────────────────────────────────────────

    async def manifest(self, what: str = "") -> Document:
        """The manifest or index that a tag or digest means; by default the reference's own.

        Raises Corrupt where it is not what its digest says.
        """
        what = what or self._reference.what
        async with self._request("GET", f"manifests/{what}", what, headers={"Accept": ACCEPT}) as response:
            data = b""
            while piece := await response.content.read(DOCUMENT_LIMIT + 1 - len(data)):
                data += piece
                if len(data) > DOCUMENT_LIMIT:
                    raise self._session.nonsense(
                        f"the manifest {what} is larger than {DOCUMENT_LIMIT >> 20} MiB"
                    )
            media_type = response.content_type
        digest = oci.digest(data)
        if what.startswith("sha256:") and digest != what:
            raise Corrupt(
                f"reading the manifest {what} of {self._reference}: what came has the digest {digest}",
                "try again; if it stays so, ask those who run that registry",
            )
        return Document(media_type, digest, data)

    def blob(self, digest: str, offset: int) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """A blob from a byte on: status 206; 200 begins at the start all the same; 416: there is no such byte."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        return self._request("GET", f"blobs/{digest}", f"the blob {digest}", headers=headers, accept=(416,))

    # ── going ───────────────────────────────────────────────────────────────────────────────────────────────

    async def has(self, digest: str) -> bool:
        """Whether the registry has this blob in this repository."""
        async with self._request("HEAD", f"blobs/{digest}", f"the blob {digest}", accept=(404,)) as response:
            return response.status != 404

    async def begin(self, digest: str, source: str = "") -> URL | None:
        """Where to upload a blob; None where the registry took it from the repository `source` instead."""
        query = {"mount": digest, "from": source} if source else {}
        async with self._request("POST", "blobs/uploads/", "room for a blob", query=query) as response:
            if response.status == 201:
                return None
            return self._session.beside(response, "room for a blob")

    async def send(self, upload: URL, data: Callable[[], AsyncIterator[bytes]], start: int, size: int) -> URL:
        """Send `size` bytes of a blob from `start` on; where the upload goes on."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size),
            "Content-Range": f"{start}-{start + size - 1}",
        }
        async with self._request("PATCH", upload, "taking a blob", headers=headers, data=data) as response:
            return self._session.beside(response, "taking a blob")

    async def received(self, upload: URL) -> tuple[URL, int] | None:
        """How many bytes of an upload have arrived, and where it goes on; None where it is forgotten."""
        async with self._request("GET", upload, "the state of an upload", accept=(404,)) as response:
            if response.status == 404:
                return None
            span = re.fullmatch(r"(?:bytes=)?0-(\d+)", response.headers.get("Range", ""))
            where = self._session.beside(response, "the state of an upload")
            return where, int(span[1]) + 1 if span and span[1] != "0" else 0

    async def finish(
        self, upload: URL, digest: str, size: int = 0, data: Callable[[], AsyncIterator[bytes]] | None = None
    ) -> None:
        """End an upload; with `data` that is all of the blob, or what is left of it."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        async with self._request(
            "PUT", upload, "keeping a blob", query={"digest": digest}, headers=headers, data=data
        ):
            pass

    async def put_manifest(self, what: str, media_type: str, data: bytes) -> None:
        """Store a manifest under a tag or its digest."""
        async with self._request(
            "PUT",
            f"manifests/{what}",
            "keeping the manifest",
            headers={"Content-Type": media_type},
            data=data,
        ):
            pass


async def persist(attempt: Callable[[], Awaitable[T]], hear: Hear, gained: Callable[[], int] = int) -> T:
    """Try until it works, with longer and longer pauses; `hear` is told why and until when.

    Only what is Transient is tried again, six times in a row; attempts after which `gained` says something
    else than before do not count.
    """
    failures, before = 0, gained()
    while True:
        try:
            return await attempt()
        except Transient as error:
            failures = failures + 1 if gained() == before else 1
            before = gained()
            if failures == ATTEMPTS:
                raise
            pause = error.after or PAUSE * 2 ** (failures - 1)
            hear(f"{failure(error)}, again in {pause:g} s")
            await asyncio.sleep(pause)
