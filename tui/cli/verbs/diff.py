"""tiffin diff: what a container changed in its root file system."""

from __future__ import annotations

import argparse

from tui.cli.door import engine
from tui.cli.output import print_json
from tui.cli.parser import Parser
from tui.presentation.text import harmless

LETTER = {"modified": "C", "added": "A", "deleted": "D"}


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("--json", action="store_true", help="everything, for scripts")
    parser.argument("container", metavar="CONTAINER", completes="container")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    changes = engine(args).diff(args.container)
    if args.json:
        print_json(changes)
    else:
        for change in changes:
            print(LETTER[change.kind], harmless(change.path))
    return 0
