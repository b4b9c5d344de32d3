"""tiffin bootstrap: make an image of Debian from its packages."""

from __future__ import annotations

import argparse

from engine.errors import BadRequest
from engine.model import BootstrapOptions
from tui.cli import limit_options
from tui.cli.building import shown
from tui.cli.door import engine
from tui.cli.parser import Parser

DISTRIBUTION = "debian"


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    add = parser.argument
    add(
        "--variant",
        default="minbase",
        metavar="NAME",
        help="essential, apt, minbase, buildd, standard … (minbase)",
    )
    add("--include", action="append", default=[], metavar="PACKAGE[,…]", help="further packages")
    add("--components", default="", metavar="NAME[,…]", help="main, contrib, non-free … (main)")
    add(
        "--mirror",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="instead of the machine's own; or a line of sources.list",
    )
    add(
        "--network",
        default="bridge",
        metavar="NETWORK",
        completes="network",
        help="host: to reach a proxy on it",
    )
    add("--progress", choices=("auto", "plain"), default="auto", help="plain: line by line (auto)")
    add("-q", "--quiet", action="store_true", help="print nothing but the image's id")
    limit_options.declare(parser)
    add(
        "distribution",
        metavar="debian:SUITE",
        help="a release (12), its name (bookworm), or stable, testing, sid",
    )
    add("name", nargs="?", default="", metavar="NAME[:TAG]", help="what to call the image (debian:SUITE)")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    distribution, _, suite = args.distribution.partition(":")
    if distribution != DISTRIBUTION or not suite:
        raise BadRequest(
            f"{args.distribution!r} cannot be bootstrapped",
            "write debian:SUITE, such as debian:12 or debian:sid",
        )
    asked = BootstrapOptions(
        suite=suite,
        name=args.name or args.distribution,
        variant=args.variant,
        include=[package for text in args.include for package in text.split(",") if package],
        components=[name for name in args.components.split(",") if name],
        mirrors=args.mirror,
        network=args.network,
        limits=limit_options.limits(args),
    )
    with shown(args.quiet, args.progress) as screen, engine(args).image_bootstrap(asked) as going:
        print(screen.follow(going).id)
    return 0
