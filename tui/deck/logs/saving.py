"""Writing a log to a file: what the program wrote, as it wrote it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.errors import BadRequest
from tui.deck.logs.walk import Walk


class Stopped(Exception):
    """It was not to go on."""


def check(path: Path) -> None:
    """Raise BadRequest where a log should not or cannot be written there."""
    if path.exists():
        raise BadRequest(f"{path} exists already", "choose another name")
    if not path.parent.is_dir():
        raise BadRequest(f"there is no folder {path.parent}", "choose a folder that exists")


def save(walk: Walk, path: Path, times: bool, proceed: Callable[[float], bool]) -> tuple[int, int]:
    """Write the lines of a walk to a new file, with time stamps if wanted; how many lines and bytes.

    `proceed` hears the share that is done; where it answers False, Stopped is raised. Raises BadRequest where
    the file cannot be written. After any error no file is left.
    """
    lines = size = 0
    try:
        with path.open("xb") as file:  # never over a file that came meanwhile
            try:
                for step in walk.forward(walk.start):
                    if not isinstance(step, int):
                        stamp = step.stamp + b" " if times else b""
                        size += file.write(stamp + step.text.rstrip(b"\r") + b"\n")
                        lines += 1
                    elif not proceed((step - walk.start) / max(1, walk.book.end - walk.start)):
                        raise Stopped  # noqa: TRY301 - the file goes with it
                file.flush()
            except BaseException:
                path.unlink()
                raise
    except OSError as error:
        raise BadRequest(f"writing {path}: {error.strerror}", "choose another place") from error
    return lines, size
