"""tiffin wait: until containers end."""

from __future__ import annotations

import argparse

from engine.errors import TiffinError
from tui.cli.door import engine
from tui.cli.output import complain
from tui.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("containers", nargs="+", metavar="CONTAINER", completes="container")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    failure = 0
    for ref in args.containers:
        try:
            status = client.wait(ref)
            if status.error:
                complain(TiffinError(f"{ref}: {status.error}"))
            print(status.exit_code, flush=True)
        except TiffinError as error:
            complain(error)
            failure = error.exit_code
    return failure
