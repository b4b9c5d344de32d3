"""tiffin start: start stopped containers."""

from __future__ import annotations

import argparse

from tui.cli import terminal
from tui.cli.attached import stay
from tui.cli.door import engine
from tui.cli.output import for_each
from tui.cli.parser import Parser, UsageError


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("-a", "--attach", action="store_true", help="stay with it, and end with its exit status")
    parser.argument("-i", "--interactive", action="store_true", help="with -a: pass standard input on")
    parser.argument("containers", nargs="+", metavar="CONTAINER", completes="stopped")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    if not (args.attach or args.interactive):
        return for_each(args.containers, client.start)
    if len(args.containers) > 1:
        raise UsageError("one terminal cannot stay with several containers", "start them without -a and -i")
    ref = args.containers[0]
    known = client.inspect(ref)
    tty = bool(known["Config"]["Tty"])
    if tty and args.interactive:
        terminal.need_terminal()
    return stay(
        client,
        known["Id"],
        ref,
        tty=tty,
        stdin=args.interactive,
        proxy=not tty,
        begin=lambda: client.start(ref),
        removed=bool(known["HostConfig"].get("AutoRemove")),
    )
