"""tiffin images: list images."""

from __future__ import annotations

import argparse
import time

from engine.model import ImageSummary
from tui.cli.door import engine
from tui.cli.output import print_json
from tui.cli.parser import Parser
from tui.presentation.quantities import size
from tui.presentation.text import table
from tui.presentation.times import ago

HEADER = ("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE")


def arguments(parser: Parser) -> None:
    """Declare flags."""
    parser.argument("-q", "--quiet", action="store_true", help="ids only")
    parser.argument("--no-trunc", action="store_true", help="full ids")
    parser.argument("--json", action="store_true", help="everything, for scripts")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    images = engine(args).images()
    if args.json:
        print_json(images)
    elif args.quiet:
        for image in images:
            print(_id(image, args.no_trunc))
    else:
        now = time.time()
        rows = [row for image in images for row in _rows(image, now, args.no_trunc)]
        print(table(HEADER, rows, right=(4,)))
    return 0


def _rows(image: ImageSummary, now: float, full: bool) -> list[list[str]]:
    rows = []
    for name in image.names or ["<none>"]:
        repository, colon, tag = name.rpartition(":")
        if not colon or "/" in tag:  # a registry's port, not a tag
            repository, tag = name, "<none>"
        rows.append([repository, tag, _id(image, full), ago(image.created_at, now), size(image.size)])
    return rows


def _id(image: ImageSummary, full: bool) -> str:
    return image.id if full else image.id.removeprefix("sha256:")[:12]
