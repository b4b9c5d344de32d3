"""tiffin logout: forget the login to a registry."""

from __future__ import annotations

import argparse

from engine.client import credentials
from tui.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Declare operands."""
    parser.argument("registry", nargs="?", metavar="REGISTRY", default=credentials.HUB, help="host[:port]")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    for place in credentials.forget(args.registry):
        print(f"forgotten in {place}")
    return 0
