"""tiffin build: make an image from a Containerfile."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from engine.client import context
from engine.errors import BadRequest
from engine.model import BuildOptions
from tui.cli import limit_options
from tui.cli.building import Lines, shown
from tui.cli.door import engine
from tui.cli.parser import Parser
from tui.presentation import options

EPOCH = "SOURCE_DATE_EPOCH"


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    add = parser.argument
    add(
        "-t",
        "--tag",
        action="append",
        default=[],
        metavar="NAME[:TAG]",
        help="what to call the image; several times for several names",
    )
    add(
        "-f",
        "--file",
        default="",
        metavar="FILE",
        completes="file",
        help="the Containerfile (CONTEXT/Containerfile, else CONTEXT/Dockerfile); - for stdin",
    )
    add(
        "--build-arg",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="a value for an ARG; without one, this environment's",
    )
    add("--target", default="", metavar="STAGE", help="end with this stage")
    add("-l", "--label", read=options.label, action="append", default=[], metavar="NAME=VALUE")
    add("--no-cache", action="store_true", help="make every layer anew")
    add("--pull", action="store_true", help="ask the registry for newer base images")
    add("--network", default="bridge", metavar="NETWORK", completes="network", help="of the RUN containers")
    add("--progress", choices=("auto", "plain"), default="auto", help="plain: line by line (auto)")
    add("-q", "--quiet", action="store_true", help="print nothing but the image's id")
    add("--iidfile", default="", metavar="FILE", completes="file", help="write the image's id to a file")
    limit_options.declare(parser)
    add("context", metavar="CONTEXT", completes="file", help="the folder that COPY and ADD may copy from")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    folder = Path(args.context)
    if "://" in args.context or args.context == "-":
        raise BadRequest(f"the context {args.context} is no folder", "fetch it, and name its folder")
    if args.file == "-":
        text, name, ignore = sys.stdin.read(), "stdin", context.rules(folder)
    else:
        path = context.find_containerfile(folder, args.file)
        text, name, ignore = context.read_text(path), path.name, context.rules(folder, path)
    asked = BuildOptions(
        containerfile=text,
        file=name,
        names=args.tag,
        args=_build_args(args.build_arg),
        labels=dict(args.label),
        target=args.target,
        cache=not args.no_cache,
        pull=args.pull,
        network=args.network,
        limits=limit_options.limits(args),
        epoch=_epoch(),
    )
    with shown(args.quiet, args.progress) as screen:
        pieces = _counted(context.pack(folder, ignore), screen)
        with engine(args).image_build(asked, pieces) as going:
            image = screen.follow(going)
    if args.iidfile:
        Path(args.iidfile).write_text(image.id)
    print(image.id)
    return 0


def _counted(pieces: Iterator[bytes], screen: Lines) -> Iterator[bytes]:
    sent = 0
    for piece in pieces:
        yield piece
        sent += len(piece)
        screen.sent(sent)


def _build_args(given: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name:
            raise BadRequest(f"--build-arg {text}: the name is missing", "write NAME=VALUE")
        if equals or name in os.environ:
            found[name] = value if equals else os.environ[name]
    return found


def _epoch() -> int | None:
    text = os.environ.get(EPOCH, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise BadRequest(f"{EPOCH} is {text!r}"[:100], "set it to seconds since 1970, or unset it")
    return int(text)
