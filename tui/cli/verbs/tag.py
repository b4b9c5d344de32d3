"""tiffin tag: give an image one more name."""

from __future__ import annotations

import argparse

from tui.cli.door import engine
from tui.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Declare operands."""
    parser.argument("image", metavar="IMAGE", completes="image")
    parser.argument("name", metavar="NAME[:TAG]", help="whoever has it loses it")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    engine(args).image_tag(args.image, args.name)
    return 0
