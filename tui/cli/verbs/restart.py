"""tiffin restart: stop and start again."""

from __future__ import annotations

import argparse

from tui.cli.door import engine
from tui.cli.output import for_each
from tui.cli.parser import Parser
from tui.cli.verbs.stop import grace


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    grace(parser)
    parser.argument("containers", nargs="+", metavar="CONTAINER", completes="container")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    return for_each(args.containers, lambda ref: client.restart(ref, args.grace))
