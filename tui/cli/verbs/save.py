"""tiffin save: write images to an archive that other engines read."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.errors import BadRequest
from tui import archives
from tui.cli.door import engine
from tui.cli.output import write_all
from tui.cli.parser import Parser
from tui.cli.transfers import Counter

FORMATS = ("docker-archive", "oci-archive")


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("-q", "--quiet", action="store_true", help="do not show how far it is")
    parser.argument("-o", "--output", metavar="FILE", completes="file", help="instead of standard output")
    parser.argument(
        "--format", choices=FORMATS, default=FORMATS[0], help="what the archive is; docker-archive"
    )
    parser.argument("images", nargs="+", metavar="IMAGE", completes="image")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    if args.output is None and sys.stdout.isatty():
        raise BadRequest("standard output is a terminal", "name a file with -o, or send it into a pipe")
    saved = engine(args).image_save(args.images, args.format)
    counter = Counter("saved", args.quiet, saved.size)
    try:
        if args.output is None:
            for piece in counter.over(saved):
                write_all(1, piece)
        else:
            archives.write(Path(args.output), counter.over(saved))
    finally:
        counter.close()
        saved.close()
    return 0
