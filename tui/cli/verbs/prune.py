"""tiffin prune: throw away what nothing uses."""

from __future__ import annotations

import argparse
import sys

from engine.client import EngineClient
from engine.errors import BadRequest
from engine.model import Pruned
from tui.cli.door import engine
from tui.cli.output import print_json
from tui.cli.parser import Parser
from tui.presentation.quantities import size
from tui.presentation.text import harmless


def arguments(parser: Parser) -> None:
    """Declare flags."""
    parser.argument(
        "-a", "--all", action="store_true", help="every image without containers, not only nameless ones"
    )
    parser.argument("--containers", action="store_true", help="stopped containers too")
    parser.argument("--volumes", action="store_true", help="volumes that no container has, too")
    parser.argument("-n", "--dry-run", action="store_true", help="only say what would go")
    parser.argument("-f", "--force", action="store_true", help="do not ask")
    parser.argument("--json", action="store_true", help="what went, for scripts; asks nothing")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    if not (args.dry_run or args.force or args.json or _confirmed(_pruned(client, args, dry=True))):
        return 0
    pruned = _pruned(client, args, dry=args.dry_run)
    if args.json:
        print_json(pruned)
    elif args.dry_run:
        print(_told(pruned, "would be removed"))
    else:
        print(_told(pruned, "removed"))
    return 0


def _pruned(client: EngineClient, args: argparse.Namespace, dry: bool) -> Pruned:
    return client.prune(all_images=args.all, containers=args.containers, volumes=args.volumes, dry=dry)


def _confirmed(planned: Pruned) -> bool:
    print(_told(planned, "would be removed"))
    if not _things(planned):
        return False
    if not sys.stdin.isatty():
        raise BadRequest("nobody is there to say yes", "give --force, or --dry-run to look only")
    return input("Remove them? [y/N] ").strip().lower() in ("y", "yes")


def _things(pruned: Pruned) -> list[str]:
    kinds = (("image", pruned.images), ("container", pruned.containers), ("volume", pruned.volumes))
    return [f"{kind} {harmless(name)}" for kind, names in kinds for name in names]


def _told(pruned: Pruned, done: str) -> str:
    things = _things(pruned)
    if not things:
        return "there is nothing to remove"
    freed = "free again" if done == "removed" else "to gain"
    return "\n".join([*(f"{done}: {thing}" for thing in things), f"{size(pruned.reclaimed)} {freed}"])
