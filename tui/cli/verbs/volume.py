"""tiffin volume: list, create, remove and inspect volumes."""

from __future__ import annotations

import argparse
import time

from engine.client import EngineClient
from tui.cli.door import engine
from tui.cli.output import for_each, print_json
from tui.cli.parser import Parser
from tui.presentation import options
from tui.presentation.text import table
from tui.presentation.times import ago

HEADER = ("VOLUME NAME", "CREATED", "USED BY", "PATH")


def arguments(parser: Parser) -> None:
    """Declare the verbs of a volume."""
    verbs = parser.verbs(
        ls="list volumes", create="make a volume", rm="remove volumes", inspect="show all, as JSON"
    )
    verbs["ls"].argument("-q", "--quiet", action="store_true", help="names only")
    verbs["ls"].argument("--json", action="store_true", help="everything, for scripts")
    create = verbs["create"]
    create.argument("-l", "--label", read=options.label, action="append", default=[], metavar="NAME=VALUE")
    create.argument("name", nargs="?", default="", metavar="VOLUME", help="else one is made up")
    verbs["rm"].argument("-f", "--force", action="store_true", help="do not mind if it is not there")
    verbs["rm"].argument("names", nargs="+", metavar="VOLUME", completes="volume")
    verbs["inspect"].argument("names", nargs="+", metavar="VOLUME", completes="volume")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    match args.subverb:
        case "create":
            print(client.volume_create(args.name, dict(args.label)).name)
        case "rm":
            return for_each(args.names, lambda name: client.volume_remove(name, args.force))
        case "inspect":
            print_json([client.volume(name) for name in args.names])
        case _:
            _list(client, args)
    return 0


def _list(client: EngineClient, args: argparse.Namespace) -> None:
    volumes = client.volumes()
    if args.json:
        print_json(volumes)
    elif args.quiet:
        for volume in volumes:
            print(volume.name)
    else:
        now = time.time()
        rows = [[one.name, ago(one.created_at, now), str(len(one.used_by)), one.path] for one in volumes]
        print(table(HEADER, rows, right=(2,)))
