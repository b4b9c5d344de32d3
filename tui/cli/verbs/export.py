"""tiffin export: a container's whole root as a tar archive."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.errors import BadRequest
from tui import archives
from tui.cli.door import engine
from tui.cli.output import write_all
from tui.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("-o", "--output", metavar="FILE", completes="file", help="instead of standard output")
    parser.argument("container", metavar="CONTAINER", completes="container")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    if args.output is None and sys.stdout.isatty():
        raise BadRequest("standard output is a terminal", "name a file with -o, or send it into a pipe")
    pieces = engine(args).export(args.container)
    if args.output is None:
        for piece in pieces:
            write_all(1, piece)
    else:
        archives.write(Path(args.output), pieces)
    return 0
