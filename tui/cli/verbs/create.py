"""tiffin create: make a container without starting it."""

from __future__ import annotations

import argparse

from tui.cli import container_options, fetching
from tui.cli.cidfile import cidfile
from tui.cli.door import engine
from tui.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    fetching.declare(parser)
    container_options.declare(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    config = container_options.config(args)
    with cidfile(args.cidfile) as keep:
        client = engine(args)
        fetching.provide(client, config.image, args.pull, args.quiet)
        print(keep(client.create(config, args.name)))
    return 0
