"""tiffin pull: fetch images from registries."""

from __future__ import annotations

import argparse

from engine.client import credentials
from tui.cli.door import engine
from tui.cli.output import for_each
from tui.cli.parser import Parser
from tui.cli.transfers import follow


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

    def pull(name: str) -> None:
        with client.image_pull(name, args.platform, credentials.find(name)) as transfers:
            follow(transfers, args.quiet)

    return for_each(args.images, pull)
