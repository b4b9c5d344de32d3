"""One container's root: what it changed, and copying in and out of it.

The names are loaded on first use: workers import parts of this package and need no asyncio.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.rootfs.archive import (
        Stream,
        archive_in,
        archive_out,
        compare,
        copy,
        diff,
        export,
        stat,
        usage,
    )
    from engine.rootfs.root import Bind, Root, Running, Stopped
    from engine.rootfs.stack import read_text

_HOMES = {
    **dict.fromkeys(
        ("Stream", "archive_in", "archive_out", "compare", "copy", "diff", "export", "stat", "usage"),
        "archive",
    ),
    **dict.fromkeys(("Bind", "Root", "Running", "Stopped"), "root"),
    "read_text": "stack",
}

__all__ = [
    "Bind",
    "Root",
    "Running",
    "Stopped",
    "Stream",
    "archive_in",
    "archive_out",
    "compare",
    "copy",
    "diff",
    "export",
    "read_text",
    "stat",
    "usage",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"engine.rootfs.{_HOMES[name]}"), name)
