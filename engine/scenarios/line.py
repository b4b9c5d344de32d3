"""The line that is being typed."""

from __future__ import annotations

TEXT = "the quick brown fox jumps over the lazy dog and the five boxing wizards jump quickly, then "
KEPT = 160  # characters that a screen may want


def typed(keys: int) -> str:
    """Its end after so many keys, with the cursor."""
    return "".join(TEXT[place % len(TEXT)] for place in range(max(0, keys - KEPT), keys)) + "▌"
