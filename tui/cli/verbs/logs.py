"""tiffin logs: what a container printed."""

from __future__ import annotations

import argparse
import sys
import time

from engine.model import LogLine
from tui.cli.door import engine
from tui.cli.parser import Parser
from tui.presentation import entry
from tui.presentation.times import stamp


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    add = parser.argument
    now = time.time()
    add("-f", "--follow", action="store_true", help="go on until it ends")
    add(
        "--since", read=lambda text: entry.moment(text, now), default=0, metavar="TIME", help="10m, or a time"
    )
    add(
        "--until", read=lambda text: entry.moment(text, now), default=0, metavar="TIME", help="10m, or a time"
    )
    add("-n", "--tail", read=_tail, metavar="LINES", help="only the last lines; all for every one")
    add("-t", "--timestamps", action="store_true", help="when each line was printed")
    add("container", metavar="CONTAINER", completes="container")


def _tail(text: str) -> int | None:
    return None if text == "all" else entry.whole(text)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    lines = engine(args).logs(
        args.container, follow=args.follow, since=args.since, until=args.until, tail=args.tail
    )
    for line in lines:
        write(line, args.timestamps)
        if args.follow:
            sys.stdout.flush()
    return 0


def write(line: LogLine, stamped: bool) -> None:
    """Print a line on the stream it came from; its bytes are the program's own, colours too."""
    out = sys.stderr if line.stream == "stderr" else sys.stdout
    text = f"{stamp(line.at)} {line.text}\n" if stamped else f"{line.text}\n"
    out.buffer.write(text.encode("utf-8", "surrogateescape"))
