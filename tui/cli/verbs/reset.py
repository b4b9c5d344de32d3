"""tiffin reset: throw away what containers changed in their root file systems."""

from __future__ import annotations

import argparse

from tui.cli.door import engine
from tui.cli.output import for_each
from tui.cli.parser import Parser
from tui.cli.verbs.stop import grace


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    restart(parser)
    parser.argument("containers", nargs="+", metavar="CONTAINER", completes="container")


def restart(parser: Parser) -> None:
    """The flags that say what becomes of a running container."""
    parser.argument(
        "-r", "--restart", action="store_true", help="stop a running one before, and start it again after"
    )
    grace(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    return for_each(args.containers, lambda ref: client.reset(ref, restart=args.restart, grace=args.grace))
