"""tiffin import: make an image of a root file system's tar archive."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from engine.errors import BadRequest
from tui.cli.door import engine
from tui.cli.parser import Parser
from tui.presentation.quantities import size


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("-q", "--quiet", action="store_true", help="do not show how far it is")
    parser.argument(
        "file", metavar="ROOTFS", completes="file", help="a tar, also .gz, .zst, .xz; - for stdin"
    )
    parser.argument("name", metavar="NAME[:TAG]", help="what to call the image")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    progress = None if args.quiet or not sys.stderr.isatty() else _progress()
    if args.file == "-":
        if sys.stdin.isatty():
            raise BadRequest("standard input is a terminal, not a tar archive", "pipe one in, or name a file")
        image = engine(args).image_import(sys.stdin.buffer, args.name, progress)
    else:
        image = engine(args).image_import(Path(args.file), args.name, progress)
    if progress:
        print("\r\x1b[K", end="", file=sys.stderr)
    print(image.id)
    return 0


def _progress() -> Callable[[int], None]:
    shown = ""

    def show(count: int) -> None:
        nonlocal shown
        if (now := size(count)) != shown:
            shown = now
            print(f"\rsent {now}\x1b[K", end="", file=sys.stderr, flush=True)

    return show
