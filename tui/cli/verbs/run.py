"""tiffin run: create, start, and stay."""

from __future__ import annotations

import argparse

from engine.errors import TiffinError
from tui.cli import container_options, fetching, terminal
from tui.cli.attached import declare_keys, stay
from tui.cli.cidfile import cidfile
from tui.cli.door import engine
from tui.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("-d", "--detach", action="store_true", help="do not stay: print its id")
    declare_keys(parser)
    fetching.declare(parser)
    parser.argument("--no-sig-proxy", dest="proxy", action="store_false", help="keep signals from it")
    container_options.declare(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb; the program's exit status."""
    config = container_options.config(args)
    if args.tty and args.interactive and not args.detach:
        terminal.need_terminal()
    with cidfile(args.cidfile) as keep:
        client = engine(args)
        fetching.provide(client, config.image, args.pull, args.quiet)
        if args.detach:
            print(keep(client.run(config, args.name)))
            return 0
        ident = keep(client.create(config, args.name))

    def begin() -> None:
        try:
            client.start(ident)
        except TiffinError:
            client.remove(ident, force=True, volumes=True)
            raise

    return stay(
        client,
        ident,
        args.name or ident[:12],
        tty=args.tty,
        stdin=args.interactive,
        proxy=args.proxy and not args.tty,
        keys=args.detach_keys,
        begin=begin,
        removed=args.rm,
    )
