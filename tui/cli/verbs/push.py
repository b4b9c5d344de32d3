"""tiffin push: send an image to a registry."""

from __future__ import annotations

import argparse

from engine.client import credentials
from tui.cli.door import engine
from tui.cli.parser import Parser
from tui.cli.transfers import follow


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("-q", "--quiet", action="store_true", help="do not show how far it is")
    parser.argument("image", metavar="IMAGE", completes="image", help="its name says where to")
    parser.argument("to", nargs="?", metavar="NAME", default="", help="send it as this instead")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    with client.image_push(args.image, args.to, credentials.find(args.to or args.image)) as transfers:
        last = follow(transfers, args.quiet)
    print(f"{last.name}@{last.digest}")
    return 0
