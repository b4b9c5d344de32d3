"""An order of containers that does not jitter: it is made anew every few seconds at most."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

CALM = 3.0  # seconds


class Ordering:
    """Keeps ids in the order of a changing key."""

    def __init__(self) -> None:
        self._order: list[str] = []
        self._made = float("-inf")

    def hurry(self) -> None:
        """Make the order anew at the next update: a person has asked for another."""
        self._made = float("-inf")

    def update(
        self, ids: Iterable[str], now: float, key: Callable[[str], Any], descending: bool
    ) -> list[str]:
        """The ids in order; between two sortings new ones come last and those gone leave no gap."""
        wanted = list(ids)
        if now - self._made >= CALM or now < self._made:
            self._made = now
            self._order = sorted(wanted, key=key, reverse=descending)
            return self._order
        known, alive = set(self._order), set(wanted)
        self._order = [id for id in self._order if id in alive] + [id for id in wanted if id not in known]
        return self._order
