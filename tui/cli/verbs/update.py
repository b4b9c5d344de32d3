"""tiffin update: change limits while containers run; what the kernel took is read back and shown."""

from __future__ import annotations

import argparse

from msgspec import UNSET

from engine.client import EngineClient
from engine.errors import TiffinError
from engine.model import LimitsApplied
from tui.cli import limit_options
from tui.cli.door import engine
from tui.cli.output import complain, print_json
from tui.cli.parser import Parser, UsageError
from tui.presentation import options
from tui.presentation.limits import differences


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    limit_options.declare(parser)
    parser.argument(
        "--restart",
        read=options.restart,
        metavar="POLICY",
        completes="restart",
        help="no, on-failure[:n], always or unless-stopped",
    )
    parser.argument("--undo", action="store_true", help="take the last change back")
    parser.argument("--json", action="store_true", help="before, after and every kernel file, for scripts")
    parser.argument("containers", nargs="+", metavar="CONTAINER", completes="container")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    changes = limit_options.any_given(args) or args.restart is not None
    if changes == args.undo:
        why = "--undo excludes other changes" if changes else "nothing to change"
        raise UsageError(f"update: {why}", "give a limit such as --cpus 0.5, or --undo")
    client = engine(args)
    status = 0
    for ref in args.containers:
        try:
            applied = client.undo(ref) if args.undo else _change(client, ref, args)
        except TiffinError as error:
            complain(error)
            status = error.exit_code
        else:
            if args.json:
                print_json(applied)
            else:
                print("  ".join([ref, *differences(applied.before, applied.after)]))
    return status


def _change(client: EngineClient, ref: str, args: argparse.Namespace) -> LimitsApplied:
    memory = None
    if args.memory_swap is not UNSET and args.memory is UNSET:
        memory = client.inspect(ref)["HostConfig"]["Memory"] or None  # --memory-swap counts from it
    return client.update(ref, limit_options.limits_change(args, memory), args.restart)
