"""tiffin diff: what a container changed in its root file system, or in one file of it."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator

from engine.model import FileChange, FileState
from tui.cli.door import engine
from tui.cli.output import coloured, print_json
from tui.cli.parser import Parser
from tui.presentation.quantities import size
from tui.presentation.text import harmless

LETTER = {"modified": "C", "added": "A", "deleted": "D"}
COLOUR = {"+": "32", "-": "31", "@": "36"}


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("--json", action="store_true", help="everything, for scripts")
    parser.argument("container", metavar="CONTAINER", completes="container")
    parser.argument(
        "path", nargs="?", metavar="PATH", help="show what became of this one, compared with the image"
    )


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    if args.path is not None:
        one = client.change(args.container, args.path)
        if args.json:
            print_json(one)
        else:
            print("\n".join(_compared(one, coloured())))
        return 0
    changes = client.diff(args.container)
    if args.json:
        print_json(changes)
    else:
        for change in changes:
            print(LETTER[change.kind], harmless(change.path))
    return 0


def _compared(change: FileChange, colour: bool) -> list[str]:
    before, after = change.before, change.after
    lines = [f"image      {_described(before)}", f"container  {_described(after)}"]
    if _text(before) is not None and _text(after) is not None and before != after:
        lines += ["", *(_painted(line) if colour else harmless(line) for line in _unified(change))]
    return lines


def _described(state: FileState | None) -> str:
    if state is None:
        return "–"
    what = "binary file" if state.binary else state.kind
    return f"{what}, {state.mode:04o}, {state.uid}:{state.gid}, {size(state.size)}"


def _text(state: FileState | None) -> str | None:
    return "" if state is None else state.text


def _unified(change: FileChange) -> Iterator[str]:
    before, after = (_text(state) or "" for state in (change.before, change.after))
    compared = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="")
    yield from list(compared)[2:]  # without its head, which names the files
    if any(state is not None and state.cut for state in (change.before, change.after)):
        yield "… only the beginning of the file was compared"


def _painted(line: str) -> str:
    code = COLOUR.get(line[:1])
    return f"\x1b[{code}m{harmless(line)}\x1b[0m" if code else harmless(line)
