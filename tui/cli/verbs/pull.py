"""tiffin pull: fetch images from registries."""

from __future__ import annotations

import argparse
from functools import partial

from tui.cli import fetching
from tui.cli.door import engine
from tui.cli.output import for_each
from tui.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("-q", "--quiet", action="store_true", help="do not show how far it is")
    parser.argument(
        "--platform", metavar="OS/ARCH", default="", help="instead of what fits this machine best"
    )
    parser.argument("images", nargs="+", metavar="IMAGE", help="[REGISTRY/]NAME[:TAG], or NAME@DIGEST")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    return for_each(args.images, partial(fetching.pull, client, platform=args.platform, quiet=args.quiet))
