"""Images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from engine.client.calls import Calls, part
from engine.client.http import CHUNK, Query
from engine.errors import BadRequest
from engine.model import ImageRemoval, ImageSummary


class ImageCalls(Calls):
    """What is done with images; see EngineClient."""

    def images(self) -> list[ImageSummary]:
        """All images in the store."""
        return self._get("/tiffin/images", list[ImageSummary])

    def image(self, ref: str) -> ImageSummary:
        """One image, by name, id or unique beginning of its id."""
        return self._get(f"/tiffin/images/{part(ref, 'image')}", ImageSummary)

    def image_remove(self, ref: str, force: bool = False) -> ImageRemoval:
        """Remove a name, and with its last name the image."""
        return self._send("DELETE", f"/tiffin/images/{part(ref, 'image')}", ImageRemoval, {"force": force})

    def image_import(
        self, path: Path | BinaryIO, name: str, on_bytes: Callable[[int], None] | None = None
    ) -> ImageSummary:
        """Make an image of a root file system's tar (gzip, zstd, xz); `on_bytes` hears how far it is."""
        query: Query = {"name": name}
        if not isinstance(path, Path):
            return self._send("POST", "/tiffin/images/import", ImageSummary, query, _read(path, on_bytes))
        try:
            file = path.open("rb")
        except OSError as error:
            raise BadRequest(
                f"reading {path}: {error.strerror}", "name a tar file of a root file system"
            ) from error
        with file:
            return self._send("POST", "/tiffin/images/import", ImageSummary, query, _read(file, on_bytes))


def _read(file: BinaryIO, on_bytes: Callable[[int], None] | None) -> Iterator[bytes]:
    sent = 0
    while piece := file.read(4 * CHUNK):
        yield piece
        sent += len(piece)
        if on_bytes:
            on_bytes(sent)
