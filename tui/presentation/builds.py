"""A build's steps in words."""

from __future__ import annotations

from engine.model import BuildProgress
from tui.presentation.quantities import size
from tui.presentation.text import harmless


def head(progress: BuildProgress) -> str:
    """Number and text of a step."""
    number = f"{progress.step}/{progress.steps} " if progress.steps else ""  # nobody counts a bootstrap's
    return number + harmless(progress.text)


def outcome(progress: BuildProgress) -> str:
    """What a step came to."""
    if progress.what == "cached":
        return "cached"
    if not progress.size and progress.seconds < 0.5:
        return ""
    return (
        f"{size(progress.size)}, {progress.seconds:.1f} s" if progress.size else f"{progress.seconds:.1f} s"
    )
