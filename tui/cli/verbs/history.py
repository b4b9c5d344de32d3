"""tiffin history: how an image was made, step by step, and what each step weighs."""

from __future__ import annotations

import argparse
import time

from engine.model import HistoryStep
from tui.cli.door import engine
from tui.cli.output import print_json
from tui.cli.parser import Parser
from tui.presentation.quantities import size
from tui.presentation.text import clip, harmless, table
from tui.presentation.times import ago

HEADER = ("LAYER", "CREATED", "SIZE", "SHARED WITH", "CREATED BY", "COMMENT")
COMMAND = 60  # cells


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("--no-trunc", action="store_true", help="whole commands and digests")
    parser.argument("-q", "--quiet", action="store_true", help="layers only")
    parser.argument("--json", action="store_true", help="everything, for scripts")
    parser.argument("image", metavar="IMAGE", completes="image")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    steps = engine(args).image_history(args.image)
    if args.json:
        print_json(steps)
    elif args.quiet:
        for step in steps:
            print(_layer(step, args.no_trunc))
    else:
        now = time.time()
        print(table(HEADER, [_row(step, now, args.no_trunc) for step in steps], right=(2,)))
    return 0


def _row(step: HistoryStep, now: float, full: bool) -> list[str]:
    command = harmless(" ".join(step.command.split()))
    others = step.shared_with
    shared = ", ".join(others) if full or len(others) < 2 else f"{others[0]} and {len(others) - 1} more"
    return [
        _layer(step, full),
        ago(step.created_at, now) if step.created_at else "–",
        size(step.size) if step.layer else "–",
        shared,
        command if full else clip(command, COMMAND),
        step.comment,
    ]


def _layer(step: HistoryStep, full: bool) -> str:
    digest = step.layer.removeprefix("sha256:") or "–"
    return digest if full else digest[:12]
