"""tiffin images: list images, check whether they run here, verify that they are whole."""

from __future__ import annotations

import argparse
import time

from engine.client import EngineClient
from engine.errors import NotFound
from engine.model import ImageSummary
from tui.cli.door import engine
from tui.cli.output import coloured, print_json
from tui.cli.parser import Parser
from tui.presentation import checks
from tui.presentation.quantities import size
from tui.presentation.text import table
from tui.presentation.times import ago

HEADER = ("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED")


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("-q", "--quiet", action="store_true", help="ids only")
    parser.argument("--no-trunc", action="store_true", help="full ids")
    parser.argument("--json", action="store_true", help="everything, for scripts")
    parser.argument(
        "--check", action="store_true", help="what each image is, and whether it runs on this machine"
    )
    parser.argument("--verify", action="store_true", help="read the whole store, and say what is damaged")
    parser.argument("image", nargs="?", default="", metavar="IMAGE", completes="image", help="only this one")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    if args.verify:
        return _verify(client, args)
    if args.check:
        return _check(client, args)
    images = _chosen(client.images(), args.image)
    if args.json:
        print_json(images)
    elif args.quiet:
        for image in images:
            print(_id(image, args.no_trunc))
    else:
        now = time.time()
        rows = [row for image in images for row in _rows(image, now, args.no_trunc)]
        print(table(HEADER, rows, right=(4, 5)))
    return 0


def _chosen(images: list[ImageSummary], name: str) -> list[ImageSummary]:
    """Those of this name, repository or id; NotFound where there is none."""
    chosen = [
        image
        for image in images
        if not name
        or name in image.names
        or name in (known.rpartition(":")[0] for known in image.names)
        or image.id.removeprefix("sha256:").startswith(name.removeprefix("sha256:"))
    ]
    if not chosen:
        raise NotFound(f"there is no image {name!r}", "`tiffin images` lists them")
    return chosen


def _rows(image: ImageSummary, now: float, full: bool) -> list[list[str]]:
    rows = []
    for name in image.names or ["<none>"]:
        repository, colon, tag = name.rpartition(":")
        if not colon or "/" in tag:  # a registry's port, not a tag
            repository, tag = name, "<none>"
        rows.append(
            [
                repository,
                tag,
                _id(image, full),
                ago(image.created_at, now),
                size(image.size),
                size(image.shared),
            ]
        )
    return rows


def _id(image: ImageSummary, full: bool) -> str:
    return image.id if full else image.id.removeprefix("sha256:")[:12]


def _check(client: EngineClient, args: argparse.Namespace) -> int:
    found = client.images_check(args.image)
    if args.json:
        print_json(found)
    else:
        print("\n".join(checks.report(found, coloured())))
    return int(bool(args.image) and found[0].verdict in ("refused", "unreadable"))


def _verify(client: EngineClient, args: argparse.Namespace) -> int:
    report = client.images_verify()
    if args.json:
        print_json(report)
    elif report.problems:
        print("\n".join(f"✕ {problem}" for problem in report.problems))
        print("remove what is damaged with `tiffin rmi`, and get it again")
    else:
        print(f"● whole: {report.blobs} blobs, {size(report.size)} read")
    return int(bool(report.problems))
