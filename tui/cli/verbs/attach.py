"""tiffin attach: connect this terminal to a running container."""

from __future__ import annotations

import argparse

from engine.errors import Conflict
from tui.cli import terminal
from tui.cli.attached import RUNNING, declare_keys, stay
from tui.cli.door import engine
from tui.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("--no-stdin", action="store_true", help="only look: pass no input on")
    declare_keys(parser)
    parser.argument("--no-sig-proxy", dest="proxy", action="store_false", help="keep signals from it")
    parser.argument("container", metavar="CONTAINER", completes="running")


def run(args: argparse.Namespace) -> int:
    """Run the verb; the program's exit status."""
    client = engine(args)
    known = client.inspect(args.container)
    if known["State"]["Status"] not in RUNNING:
        raise Conflict(f"attaching to {args.container}: it does not run", f"tiffin start -a {args.container}")
    tty = bool(known["Config"]["Tty"])
    stdin = bool(known["Config"]["OpenStdin"]) and not args.no_stdin
    if tty and stdin:
        terminal.need_terminal()
    return stay(
        client,
        known["Id"],
        args.container,
        tty=tty,
        stdin=stdin,
        proxy=args.proxy and not tty,
        keys=args.detach_keys,
        removed=bool(known["HostConfig"].get("AutoRemove")),
    )
