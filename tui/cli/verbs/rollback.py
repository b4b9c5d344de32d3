"""tiffin rollback: put a container's root file system back to a snapshot."""

from __future__ import annotations

import argparse
import time

from tui.cli.door import engine
from tui.cli.parser import Parser
from tui.cli.verbs.reset import restart
from tui.presentation.times import ago


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    restart(parser)
    parser.argument("container", metavar="CONTAINER", completes="container")
    parser.argument("name", nargs="?", default="", metavar="SNAPSHOT", help="the latest, if none is named")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    snapshot = engine(args).rollback(args.container, args.name, restart=args.restart, grace=args.grace)
    print(
        f"{args.container} is back to snapshot {snapshot.name}, made {ago(snapshot.created_at, time.time())}"
    )
    return 0
