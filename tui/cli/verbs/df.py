"""tiffin df: what takes room on disk, what of it is shared, and what could go."""

from __future__ import annotations

import argparse

from engine.model import DiskUse
from tui.cli.door import engine
from tui.cli.output import print_json
from tui.cli.parser import Parser
from tui.presentation.quantities import size
from tui.presentation.text import table

BAR = 20  # cells


def arguments(parser: Parser) -> None:
    """Declare flags."""
    parser.argument("--json", action="store_true", help="everything, in bytes, for scripts")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    use = engine(args).disk_use()
    if args.json:
        print_json(use)
    else:
        print("\n\n".join(filter(None, (_images(use), _containers(use), _volumes(use), _total(use)))))
    return 0


def _images(use: DiskUse) -> str:
    largest = max((image.size for image in use.images), default=0)
    rows = [
        [
            image.names[0] if image.names else image.id.removeprefix("sha256:")[:12],
            size(image.size),
            size(image.own),
            size(image.shared),
            _bar(image.own, image.shared, largest),
            ", ".join(image.containers),
        ]
        for image in use.images
    ]
    header = ("IMAGE", "SIZE", "OWN", "SHARED", "█ own  ░ shared", "CONTAINERS")
    return table(header, rows, right=(1, 2, 3)) if rows else ""


def _bar(own: int, shared: int, largest: int) -> str:
    """Own and shared parts on one scale for all images; what is there shows, however little."""
    if not largest:
        return ""
    solid = max(round(own / largest * BAR), 1 if own else 0)
    return "█" * solid + "░" * max(round((own + shared) / largest * BAR) - solid, 1 if shared else 0)


def _containers(use: DiskUse) -> str:
    rows = [
        [
            one.name,
            "running" if one.running else "stopped",
            size(one.private),
            size(one.snapshots),
            size(one.logs),
        ]
        for one in sorted(use.containers, key=lambda one: -(one.private + one.snapshots + one.logs))
    ]
    header = ("CONTAINER", "STATE", "CHANGED", "SNAPSHOTS", "LOGS")
    return table(header, rows, right=(2, 3, 4)) if rows else ""


def _volumes(use: DiskUse) -> str:
    rows = [
        [one.name, size(one.size), ", ".join(one.containers)]
        for one in sorted(use.volumes, key=lambda one: -one.size)
    ]
    return table(("VOLUME", "SIZE", "CONTAINERS"), rows, right=(1,)) if rows else ""


def _total(use: DiskUse) -> str:
    parts = {
        "unpacked layers": use.layers,
        "the same as archives": use.blobs,
        "containers' changes": sum(one.private for one in use.containers),
        "snapshots": sum(one.snapshots for one in use.containers),
        "logs": sum(one.logs for one in use.containers),
        "volumes": sum(one.size for one in use.volumes),
    }
    told = ", ".join(f"{size(count)} {what}" for what, count in parts.items() if count)
    total = f"{size(sum(parts.values()))} in all" + (f": {told}" if told else "")
    freed = f"\n{size(use.reclaimable)} would go with: tiffin prune --all" if use.reclaimable else ""
    return total + freed
