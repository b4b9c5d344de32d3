"""Images from Containerfiles: each RUN a container, each layer kept for the next build.

`Builder` is the door. It is loaded on first use, because the workers of this package must start fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.building.builder import Builder as Builder


def __getattr__(name: str) -> object:
    if name == "Builder":
        from engine.building.builder import Builder

        return Builder
    raise AttributeError(name)
