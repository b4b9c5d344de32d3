"""tiffin rmi: remove images."""

from __future__ import annotations

import argparse

from tui.cli.door import engine
from tui.cli.output import for_each
from tui.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("-f", "--force", action="store_true", help="also one with several names")
    parser.argument("images", nargs="+", metavar="IMAGE", completes="image")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    return for_each(args.images, lambda ref: client.image_remove(ref, args.force))
