"""tiffin rm: remove containers."""

from __future__ import annotations

import argparse

from tui.cli.door import engine
from tui.cli.output import for_each
from tui.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("-f", "--force", action="store_true", help="kill it first if it runs")
    parser.argument("-v", "--volumes", action="store_true", help="its volumes without a name too")
    parser.argument("containers", nargs="+", metavar="CONTAINER", completes="container")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    return for_each(args.containers, lambda ref: client.remove(ref, args.force, args.volumes))
