"""Archives of images and of roots, as files on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from engine.errors import BadRequest, KernelError

PIECE = 1 << 18  # bytes


def opened(path: Path) -> Iterator[bytes]:
    """An archive's bytes, or those of an OCI layout's folder as one.

    It is opened now, so that what is wrong with it is said before anything is done; raises BadRequest.
    """
    if path.is_dir():
        if not (path / "index.json").is_file():
            raise BadRequest(
                f"{path} is a folder, but no OCI layout: it has no index.json", "name an archive"
            )
        from engine.client.packing import packed

        return packed(path, "")
    try:
        return pieces(path.open("rb"))
    except OSError as error:
        raise BadRequest(f"reading {path}: {error.strerror}", "name an archive of images") from error


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """A file's bytes; it is closed after the last."""
    with file:
        while piece := file.read(PIECE):
            yield piece


def write(path: Path, content: Iterable[bytes]) -> None:
    """A whole archive in place of whatever is there, or nothing; a device or a pipe stays one."""
    replaced = path.is_file() or not path.exists()
    draft = path.with_name(f".{path.name}.{os.getpid()}") if replaced else path
    try:
        with draft.open("wb") as file:
            for piece in content:
                file.write(piece)
        if replaced:
            draft.replace(path)
    except OSError as error:
        raise KernelError.of(f"writing {path}", error, "choose another file with -o") from error
    finally:
        if replaced:
            draft.unlink(missing_ok=True)
