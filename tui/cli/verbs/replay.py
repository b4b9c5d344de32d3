"""tiffin replay: the deck on what was recorded."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.recording import Recording
from tui.cli.output import notice
from tui.cli.parser import Parser, UsageError


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("file", metavar="FILE", completes="file", help="what tiffin record wrote")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    recording = Recording(Path(args.file))
    for note in recording.notes:
        notice(note)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the deck needs a terminal", "print it with --summary, --csv or --json")
    from tui.cli.deck import launch_replay

    return launch_replay(args, recording)
