"""What is selected, marked and focused; one for panes and table, by container id."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

Gauge = Literal["cpu", "memory", "io", "pids", "none"]  # "none": what has no limits to turn
GAUGES: tuple[Gauge, ...] = ("cpu", "memory", "io", "pids")


class Selection:
    """The cursor stays on its container whatever the order does, until that container is gone."""

    def __init__(self) -> None:
        self.current = ""  # container id; empty with none to select
        self.wanted = ""  # to be selected as soon as it is shown
        self.marked: set[str] = set()
        self.gauge: Gauge = "cpu"
        self.flashing: set[str] = set()  # those whose focused limit was turned just now
        self.order: Sequence[str] = ()  # what is shown, in the order it is shown

    def reconcile(self, order: Sequence[str], alive: Collection[str]) -> None:
        """Take a new order of what is shown, and what there is at all.

        A selected container that is no longer shown gives way to its neighbour.
        """
        if self.wanted in order:
            self.current, self.wanted = self.wanted, ""
        if self.current not in order:
            place = self.order.index(self.current) if self.current in self.order else 0
            self.current = order[min(place, len(order) - 1)] if order else ""
        self.order = order
        self.marked &= set(alive)

    def select(self, id: str) -> None:
        """Put the cursor on one that is shown."""
        if id in self.order:
            self.current = id

    def move(self, step: int) -> None:
        """Move the cursor by so many places, to the ends at most."""
        if self.order:
            place = self.order.index(self.current) if self.current in self.order else 0
            self.current = self.order[max(0, min(len(self.order) - 1, place + step))]

    def mark(self) -> None:
        """Mark or unmark the selected one."""
        if self.current:
            self.marked ^= {self.current}

    def targets(self) -> list[str]:
        """What an action acts on: the marked ones in their order, or else the selected one."""
        if self.marked:
            return [id for id in self.order if id in self.marked] or sorted(self.marked)
        return [self.current] if self.current else []
