"""tiffin rename: give a container another name."""

from __future__ import annotations

import argparse

from tui.cli.door import engine
from tui.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("container", metavar="CONTAINER", completes="container")
    parser.argument("name", metavar="NEW_NAME")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    engine(args).rename(args.container, args.name)
    return 0
