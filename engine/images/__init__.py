"""Packaged environments: the content store, unpacked layers, the built-in `host` image.

`Images` is the door. It is loaded on first use, because workers import from this package and must start
fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.images.images import Images as Images


def __getattr__(name: str) -> object:
    if name == "Images":
        from engine.images.images import Images

        return Images
    raise AttributeError(name)
