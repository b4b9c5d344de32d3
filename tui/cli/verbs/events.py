"""tiffin events: what happens, as it happens."""

from __future__ import annotations

import argparse
import time

from engine.model import Event
from tui.cli.door import engine
from tui.cli.filters import declare_filters, filters
from tui.cli.output import print_json_line
from tui.cli.parser import Parser
from tui.presentation import entry
from tui.presentation.text import harmless
from tui.presentation.times import stamp


def arguments(parser: Parser) -> None:
    """Declare flags."""
    add = parser.argument
    now = time.time()
    add(
        "--since", read=lambda text: entry.moment(text, now), default=0, metavar="TIME", help="10m, or a time"
    )
    add(
        "--until", read=lambda text: entry.moment(text, now), default=0, metavar="TIME", help="10m, or a time"
    )
    add("--json", action="store_true", help="one JSON document a line")
    declare_filters(parser, "type=container, event=die, container=web …")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    for event in engine(args).events(since=args.since, until=args.until, filters=filters(args)):
        if args.json:
            print_json_line(event)
        else:
            print(_line(event), flush=True)
    return 0


def _line(event: Event) -> str:
    known = {"name": event.name, **event.attributes} if event.name else event.attributes
    more = ", ".join(f"{name}={value}" for name, value in known.items())
    line = f"{stamp(event.at)} {event.type} {event.action} {event.id}" + (f" ({more})" if more else "")
    return harmless(line)
