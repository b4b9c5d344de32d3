"""--filter NAME=VALUE, any number of times, as in Docker."""

from __future__ import annotations

import argparse

from engine.errors import BadRequest
from tui.cli.parser import Parser


def declare_filters(parser: Parser, examples: str) -> None:
    """Add the flag."""
    parser.argument(
        "-f", "--filter", read=_pair, action="append", default=[], metavar="NAME=VALUE", help=examples
    )


def filters(args: argparse.Namespace) -> dict[str, list[str]] | None:
    """What was asked for, by name; values of one name are alternatives."""
    found: dict[str, list[str]] = {}
    for name, value in args.filter:
        found.setdefault(name, []).append(value)
    return found or None


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise BadRequest("not a filter", "write NAME=VALUE, such as status=exited")
    return name, value
