"""tiffin load: take in the images of an archive or an OCI layout."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from engine.errors import BadRequest
from tui import archives
from tui.cli.door import engine
from tui.cli.parser import Parser
from tui.cli.transfers import Counter, follow


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("-q", "--quiet", action="store_true", help="do not show how far it is")
    parser.argument("-i", "--input", metavar="PATH", default="-", completes="file", help="as Docker has it")
    parser.argument(
        "--platform", metavar="OS/ARCH", default="", help="instead of what fits this machine best"
    )
    parser.argument(
        "path", nargs="?", metavar="PATH", completes="file", help="an archive, or an OCI layout's folder"
    )


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    counter = Counter("sent", args.quiet)
    with engine(args).image_load(_archive(args.path or args.input), args.platform, counter) as transfers:
        counter.close()
        last = follow(transfers, args.quiet)
    for name in last.names:
        print(f"Loaded image: {name}")
    return 0


def _archive(path: str) -> Iterator[bytes]:
    """What is to be sent, opened now so that what is wrong with it is said before anything is done."""
    if path == "-":
        if sys.stdin.isatty():
            raise BadRequest("standard input is a terminal, not an archive", "pipe one in, or name a file")
        return archives.pieces(sys.stdin.buffer)
    return archives.opened(Path(path))
