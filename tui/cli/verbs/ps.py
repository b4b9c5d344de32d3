"""tiffin ps: list containers."""

from __future__ import annotations

import argparse
import time

from engine.model import ContainerSummary
from tui.cli.door import engine
from tui.cli.filters import declare_filters, filters
from tui.cli.output import print_json
from tui.cli.parser import Parser
from tui.presentation.states import port, status_line
from tui.presentation.text import clip, table
from tui.presentation.times import ago

HEADER = ("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES")
COMMAND_WIDTH = 20


def arguments(parser: Parser) -> None:
    """Declare flags."""
    add = parser.argument
    add("-a", "--all", action="store_true", help="those that do not run too")
    add("-q", "--quiet", action="store_true", help="ids only")
    add("--no-trunc", action="store_true", help="full ids and commands")
    add("--json", action="store_true", help="everything, for scripts")
    declare_filters(parser, "status=exited, name=web, label=role=db, ancestor=host, network=bridge …")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    containers = engine(args).containers(all=args.all, filters=filters(args))
    containers.sort(key=lambda container: container.created_at, reverse=True)
    if args.json:
        print_json(containers)
    elif args.quiet:
        for container in containers:
            print(container.id if args.no_trunc else container.id[:12])
    else:
        now = time.time()
        print(table(HEADER, [_row(container, now, args.no_trunc) for container in containers]))
    return 0


def _row(container: ContainerSummary, now: float, full: bool) -> list[str]:
    return [
        container.id if full else container.id[:12],
        container.image,
        f'"{container.command if full else clip(container.command, COMMAND_WIDTH)}"',
        ago(container.created_at, now),
        status_line(container.state, now),
        ", ".join(map(port, container.publish)),
        container.name,
    ]
