"""tiffin stop: the stop signal, then SIGKILL after the grace time."""

from __future__ import annotations

import argparse

from tui.cli.door import engine
from tui.cli.output import for_each
from tui.cli.parser import Parser
from tui.presentation import entry


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    grace(parser)
    parser.argument("containers", nargs="+", metavar="CONTAINER", completes="running")


def grace(parser: Parser) -> None:
    """The flag that says how long to be patient."""
    parser.argument(
        "-t",
        "--time",
        "--timeout",
        read=entry.duration,
        dest="grace",
        metavar="SECONDS",
        help="before SIGKILL (its own setting, or 10)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    return for_each(args.containers, lambda ref: client.stop(ref, args.grace))
