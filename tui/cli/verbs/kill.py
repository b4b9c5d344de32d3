"""tiffin kill: send a signal to a container's first process."""

from __future__ import annotations

import argparse

from tui.cli.door import engine
from tui.cli.output import for_each
from tui.cli.parser import Parser
from tui.presentation import entry


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument(
        "-s",
        "--signal",
        read=entry.signal_name,
        default="SIGKILL",
        metavar="SIGNAL",
        completes="signal",
        help="its name or number (SIGKILL)",
    )
    parser.argument("containers", nargs="+", metavar="CONTAINER", completes="running")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    return for_each(args.containers, lambda ref: client.kill(ref, args.signal))
