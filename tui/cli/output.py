"""Writing results: JSON with every field, lines that reach a pipe at once, a complaint for each failure."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import UNSET

from engine.errors import TiffinError
from tui.presentation.text import harmless


def plain(value: Any) -> Any:
    """Nouns as plain dicts and lists in which every field is there, defaults too."""
    if isinstance(value, msgspec.Struct):
        fields = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return {name: plain(field) for name, field in fields if field is not UNSET}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def print_json(value: Any) -> None:
    """One JSON document, indented."""
    print(msgspec.json.format(msgspec.json.encode(plain(value)), indent=4).decode())


def print_json_line(value: Any) -> None:
    """One JSON document on one line, at once: for streams of them."""
    print(msgspec.json.encode(plain(value)).decode(), flush=True)


def coloured() -> bool:
    """Whether standard output is a terminal that may be coloured and drawn on."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def complain(error: TiffinError) -> None:
    """Print an error and its remedy on standard error."""
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    head = "\x1b[31mtiffin:\x1b[0m" if colour else "tiffin:"
    print(f"{head} {harmless(error.message)}", file=sys.stderr)
    if error.remedy:
        print(f"        {harmless(error.remedy)}", file=sys.stderr)


def notice(text: str) -> None:
    """Say something on standard error that is no error."""
    print(f"tiffin: {harmless(text)}", file=sys.stderr)


def for_each(refs: Iterable[str], act: Callable[[str], object]) -> int:
    """Do something to each; print those it was done to, complain of the others; the exit status."""
    status = 0
    for ref in refs:
        try:
            act(ref)
        except TiffinError as error:
            sys.stdout.flush()
            complain(error)
            status = error.exit_code
        else:
            print(ref, flush=True)
    return status


def write_all(fd: int, data: bytes) -> None:
    """Write every byte to a descriptor, also to one that somebody else made non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            import select

            select.select([], [fd], [])
