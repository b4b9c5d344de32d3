"""The folder that a build may copy from, as a tar stream without what its ignore file leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.client.ignore import Ignore
from engine.client.packing import packed
from engine.errors import BadRequest

NAMES = ("Containerfile", "Dockerfile")
IGNORE_NAMES = (".containerignore", ".dockerignore")
LARGEST = 1 << 20  # bytes


def find_containerfile(folder: Path, given: str = "") -> Path:
    """The Containerfile that was given, else the folder's own; BadRequest where there is none."""
    if given:
        return Path(given)
    for name in NAMES:
        if (path := folder / name).is_file():
            return path
    raise BadRequest(f"there is no {' nor '.join(NAMES)} in {folder}", "name one with --file")


def read_text(path: Path) -> str:
    """A small text file; BadRequest where it cannot be read as one."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise BadRequest(f"reading {path}: it is larger than {LARGEST} bytes", "name a Containerfile")
        return data.decode()
    except OSError as error:
        raise BadRequest(f"reading {path}: {error.strerror}", "name a file that can be read") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"reading {path}: it is no text ({error.reason})", "name a Containerfile") from error


def rules(folder: Path, containerfile: Path | None = None) -> Ignore:
    """Those of the Containerfile's own ignore file (`NAME.dockerignore`) where there is one, else the folder's."""
    candidates = [folder / name for name in IGNORE_NAMES]
    if containerfile is not None:
        own = (f"{containerfile.name}{name}" for name in IGNORE_NAMES)
        candidates = [containerfile.with_name(name) for name in own] + candidates
    for path in candidates:
        if path.is_file():
            return Ignore(read_text(path).split("\n"), str(path))
    return Ignore()


def pack(folder: Path, ignore: Ignore) -> Iterator[bytes]:
    """The folder's content as a tar stream; raises BadRequest, KernelError."""
    if not folder.is_dir():
        raise BadRequest(f"the context {folder} is no folder", "name the folder to build from")
    return packed(folder, "", select=ignore.select)
