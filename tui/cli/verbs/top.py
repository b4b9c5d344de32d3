"""tiffin top: the processes of a container, as the host sees them."""

from __future__ import annotations

import argparse

from tui.cli.door import engine
from tui.cli.output import print_json
from tui.cli.parser import Parser
from tui.presentation.quantities import size
from tui.presentation.text import table
from tui.presentation.times import clock, duration

HEADER = ("PID", "PPID", "USER", "S", "START", "CPU", "RSS", "COMMAND")


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("--json", action="store_true", help="everything, for scripts")
    parser.argument("container", metavar="CONTAINER", completes="running")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    processes = engine(args).top(args.container)
    if args.json:
        print_json(processes)
        return 0
    rows = [
        [
            str(process.pid),
            str(process.ppid),
            process.user,
            process.state,
            clock(process.started_at),
            duration(process.cpu_seconds),
            size(process.rss),
            process.command,
        ]
        for process in processes
    ]
    print(table(HEADER, rows, right=(0, 1, 5, 6)))
    return 0
