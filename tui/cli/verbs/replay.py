"""tiffin replay: the deck on what was recorded, or its contents as text, CSV or JSON."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.errors import TiffinError
from engine.recording import Recording
from engine.recording.summary import summary
from tui.cli.output import notice, print_json, print_json_line
from tui.cli.parser import Parser, UsageError
from tui.cli.samples import Table
from tui.presentation import entry
from tui.presentation.recordings import summary_text


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    add = parser.argument
    add("--summary", action="store_true", help="print the worst moments, who used most, what was changed")
    add("--csv", action="store_true", help="print every sample, as tiffin stats --csv does")
    add("--json", action="store_true", help="a snapshot a line; with --summary the summary, for scripts")
    add("--since", metavar="TIME", help="with --csv or --json: from then on; 10m is that long before its end")
    add("--until", metavar="TIME", help="with --csv or --json: up to then")
    add("file", metavar="FILE", completes="file", help="what tiffin record wrote")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    if args.csv and (args.json or args.summary):
        raise UsageError("replay: --csv is a format of its own", "leave the others out")
    recording = Recording(Path(args.file))
    begin = _moment("--since", args.since, recording) or 0.0
    end = _moment("--until", args.until, recording) or float("inf")
    for note in recording.notes:
        notice(note)
    if args.summary:
        told = summary(recording)
        print_json(told) if args.json else print(summary_text(told))
        return 0
    if args.csv:
        table = Table()
        for frame in recording.frames(begin, end):
            for id in frame.rows:
                if id in frame.containers:
                    table.row(frame.at, frame.containers[id], frame.sample(id))
        return 0
    if args.json:
        for frame in recording.frames(begin, end):
            print_json_line(frame.snapshot())
        return 0
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the deck needs a terminal", "print it with --summary, --csv or --json")
    from tui.cli.deck import launch_replay

    return launch_replay(args, recording)


def _moment(flag: str, text: str | None, recording: Recording) -> float | None:
    try:
        return None if text is None else entry.moment(text, recording.end)
    except TiffinError as error:
        raise UsageError(f"{flag} {text}: {error.message}", error.remedy) from None
