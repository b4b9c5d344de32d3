"""tiffin unpause: let paused containers go on."""

from __future__ import annotations

import argparse

from tui.cli.door import engine
from tui.cli.output import for_each
from tui.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("containers", nargs="+", metavar="CONTAINER", completes="paused")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    return for_each(args.containers, engine(args).unpause)
