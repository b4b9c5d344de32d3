"""tiffin commit: make an image of a container."""

from __future__ import annotations

import argparse
import os

from engine.errors import BadRequest
from tui.cli.door import engine
from tui.cli.parser import Parser

EPOCH = "SOURCE_DATE_EPOCH"  # https://reproducible-builds.org/specs/source-date-epoch/


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("-m", "--message", default="", metavar="TEXT", help="what changed, for its history")
    parser.argument("-a", "--author", default="", metavar="NAME", help="who made it")
    parser.argument(
        "-c", "--change", action="append", default=[], metavar="INSTRUCTION",
        help='''a setting as in a Containerfile, such as 'CMD ["web"]' or 'ENV A=b'; may be repeated''',
    )  # fmt: skip
    parser.argument(
        "--pause",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="freeze it meanwhile, if it runs (the default)",
    )
    parser.argument("container", metavar="CONTAINER", completes="container")
    parser.argument("name", nargs="?", default="", metavar="NAME[:TAG]", help="what to call the image")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    image = engine(args).commit(
        args.container,
        args.name,
        message=args.message,
        author=args.author,
        changes=args.change,
        pause=args.pause,
        epoch=_epoch(os.environ.get(EPOCH, "")),
    )
    print(image.id)
    return 0


def _epoch(text: str) -> float | None:
    if not text:
        return None
    if not text.isdecimal():
        raise BadRequest(f"{EPOCH} is {text!r}", "set it to seconds since 1970, or unset it")
    return float(text)
