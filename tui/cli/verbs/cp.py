"""tiffin cp: copy files between a container and this machine, with docker cp's meaning of paths."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from pathlib import Path
from posixpath import basename, dirname, join, normpath
from typing import NamedTuple

from engine.client import EngineClient
from engine.client.packing import packed
from engine.errors import BadRequest, NotFound, TiffinError
from tui.cli.copying.unpacking import unpack
from tui.cli.door import engine
from tui.cli.output import complain, write_all
from tui.cli.parser import Parser, UsageError

CHUNK = 256 << 10
GO_DIR, GO_SYMLINK = 1 << 31, 1 << 27  # bits of Go's os.FileMode, which Docker's API speaks


class There(NamedTuple):
    """A path in a container."""

    ref: str
    path: str  # absolute; a final "/" or "/." is kept, for it means something


class Target(NamedTuple):
    """Where something goes: into a folder, under a name; no name: only what is below it."""

    folder: str
    name: str


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("-a", "--archive", action="store_true", help="keep owners")
    parser.argument("-L", "--follow-link", action="store_true", help="copy what a link in SOURCE leads to")
    parser.argument(
        "source", metavar="SOURCE", completes="cp", help="CONTAINER:PATH, a local path, or -: a tar"
    )
    parser.argument("target", metavar="TARGET", completes="cp", help="the same")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    source, target = _there(args.source), _there(args.target)
    if source and target:
        raise UsageError(
            "cp: both ends are in containers", "copy through a pipe: tiffin cp A:/x - | tiffin cp - B:/y"
        )
    if source:
        return _out(engine(args), source, args.target, args)
    if target:
        return _in(engine(args), args.source, target, args)
    raise UsageError("cp: neither end is in a container", "write CONTAINER:PATH for one of them")


def _there(text: str) -> There | None:
    ref, colon, path = text.partition(":")
    if not colon or "/" in ref or ref.startswith("."):
        return None
    if not ref:
        raise UsageError(f"cp: {text} names no container", "write CONTAINER:PATH")
    return There(ref, path if path.startswith("/") else f"/{path}")


# ── out of a container ──────────────────────────────────────────────────────────────────────────────────────


def _out(client: EngineClient, source: There, target: str, args: argparse.Namespace) -> int:
    client.inspect(source.ref)  # so that a missing container is not taken for a missing file
    found = client.archive_stat(source.ref, source.path)
    path, contents = source.path, bool(found["mode"] & GO_DIR)
    if args.follow_link and found["mode"] & GO_SYMLINK:
        path = join(dirname(path.rstrip("/")), found["linkTarget"])
        contents = bool(client.archive_stat(source.ref, path)["mode"] & GO_DIR)
    if target == "-":
        if sys.stdout.isatty():
            raise UsageError("cp: a tar archive is not for a terminal", "send it to a file or a pipe")
        for piece in client.archive_get(source.ref, path):
            write_all(1, piece)
        return 0
    place = where(
        contents,
        source.path,
        target,
        _local_kind(target),
        _local_kind(dirname(target.rstrip("/"))),
    )
    tar = client.archive_get(source.ref, f"{path}/." if contents else path)
    folder = Path(place.folder or ".")
    for name in unpack(tar, folder, place.name, contents=contents, keep_owner=args.archive):
        complain(TiffinError(f"{name} was left out: it is a device"))
    return 0


def _local_kind(path: str) -> str:
    try:
        return "folder" if stat.S_ISDIR(Path(path or ".").stat().st_mode) else "file"
    except OSError:
        return ""


# ── into a container ────────────────────────────────────────────────────────────────────────────────────────


def _in(client: EngineClient, source: str, target: There, args: argparse.Namespace) -> int:
    client.inspect(target.ref)
    path, kind = _remote(client, target)
    if source == "-":
        if sys.stdin.isatty():
            raise UsageError("cp: standard input is a terminal, not a tar archive", "pipe one in")
        if kind != "folder":
            raise BadRequest(
                f"{target.path} is no folder in {target.ref}", "an archive is unpacked in a folder"
            )
        client.archive_put(target.ref, path, iter(lambda: os.read(0, CHUNK), b""))
        return 0
    try:
        found = Path(source).stat() if args.follow_link or source.endswith("/") else Path(source).lstat()
    except OSError as error:
        raise NotFound(
            f"reading {source}: {error.strerror}", "name a file or folder of this machine"
        ) from error
    parent = "" if kind else _remote(client, There(target.ref, dirname(path.rstrip("/")) or "/"))[1]
    place = where(stat.S_ISDIR(found.st_mode), source, path, kind, parent)
    start = Path(os.path.realpath(source)) if args.follow_link else Path(source)
    name = place.name or ""
    client.archive_put(target.ref, place.folder or "/", packed(start, name, keep_owner=args.archive))
    return 0


def _remote(client: EngineClient, at: There) -> tuple[str, str]:
    """The path with a final link resolved, and "folder", "file", or "" where nothing is."""
    try:
        found = client.archive_stat(at.ref, at.path)
    except NotFound:
        return at.path, ""
    if found["mode"] & GO_SYMLINK:
        path = join(dirname(at.path.rstrip("/")), found["linkTarget"])
        try:
            found = client.archive_stat(at.ref, path)
        except NotFound:
            return at.path, "file"  # it leads nowhere: it is replaced
        return path, "folder" if found["mode"] & GO_DIR else "file"
    return at.path, "folder" if found["mode"] & GO_DIR else "file"


# ── what the paths mean ─────────────────────────────────────────────────────────────────────────────────────


def where(is_folder: bool, source: str, target: str, kind: str, parent: str) -> Target:
    """Docker's rules for the place of a copy; `kind` is what is at `target`, `parent` what is above it.

    A folder is copied into one that is there, and becomes one that is not; "SOURCE/." copies what is in it.
    """
    if kind == "folder":
        if is_folder and (source.endswith("/.") or source == "."):
            return Target(target, "")
        return Target(target, basename(normpath(source)) if normpath(source) != "/" else "")
    if kind == "file":
        if is_folder:
            raise BadRequest(f"{target} is a file, and {source} a folder", "name a folder to copy it into")
        if target.endswith("/"):
            raise BadRequest(f"{target} is no folder", "leave the final / out to replace the file")
        return Target(dirname(target), basename(target))
    if target.endswith("/") and not is_folder:
        raise NotFound(
            f"there is no folder {target}", "make it first, or leave the final / out to name a file"
        )
    if parent != "folder":
        above = dirname(target.rstrip("/")) or "."
        raise NotFound(f"there is no folder {above} to copy into", "make it first")
    return Target(dirname(target.rstrip("/")), basename(target.rstrip("/")))
