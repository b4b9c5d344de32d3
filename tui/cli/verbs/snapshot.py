"""tiffin snapshot: keep copies of a container's private layer, to roll back to."""

from __future__ import annotations

import argparse
import time

from engine.client import EngineClient
from engine.model import LayerSnapshot
from tui.cli.door import engine
from tui.cli.output import for_each, print_json
from tui.cli.parser import Parser
from tui.presentation.quantities import size
from tui.presentation.text import table
from tui.presentation.times import ago

HEADER = ("SNAPSHOT", "CREATED", "FILES", "SIZE", "DATA", "NOTE")


def arguments(parser: Parser) -> None:
    """Declare the verbs of snapshots."""
    verbs = parser.verbs(
        create="keep a copy of what a container has changed so far",
        ls="list a container's snapshots",
        rm="forget snapshots",
    )
    create = verbs["create"]
    create.argument("-m", "--message", default="", metavar="TEXT", help="a note to know it by")
    create.argument(
        "--pause",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="freeze the container meanwhile, if it runs (the default)",
    )
    for verb in verbs.values():
        verb.argument("container", metavar="CONTAINER", completes="container")
    create.argument("name", nargs="?", default="", metavar="SNAPSHOT", help="else it is given a number")
    verbs["ls"].argument("--json", action="store_true", help="everything, for scripts")
    verbs["ls"].argument("-q", "--quiet", action="store_true", help="names only")
    verbs["rm"].argument("names", nargs="+", metavar="SNAPSHOT")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    match args.subverb:
        case "create":
            made = client.snapshot_create(args.container, args.name, note=args.message, pause=args.pause)
            print(f"{made.name}: {cost(made)}, in {made.took:.2f} s")
        case "rm":
            return for_each(args.names, lambda name: client.snapshot_remove(args.container, name))
        case _:
            _list(client, args)
    return 0


def cost(made: LayerSnapshot) -> str:
    """What a snapshot costs, in words."""
    what = f"{made.files} {'file' if made.files == 1 else 'files'} of {size(made.size)}"
    return f"{what}, shared until they change" if made.cloned else f"{what}, copied"


def _list(client: EngineClient, args: argparse.Namespace) -> None:
    snapshots = client.snapshots(args.container)
    if args.json:
        print_json(snapshots)
    elif args.quiet:
        for one in snapshots:
            print(one.name)
    else:
        now = time.time()
        rows = [
            [
                one.name,
                ago(one.created_at, now),
                str(one.files),
                size(one.size),
                "shared" if one.cloned else "copied",
                one.note,
            ]
            for one in snapshots
        ]
        print(table(HEADER, rows, right=(2, 3)))
