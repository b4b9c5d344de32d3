"""What was measured of one lane under one protection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of all do not exceed (the nearest-rank method)."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 1).__int__() - 1)]


@dataclass
class Tally:
    """Sums over whole turns."""

    ms: list[float] = field(default_factory=list)  # each of the victim's acts that succeeded
    failed: int = 0  # acts that did not
    work: float = 0  # the neighbour's, in its own unit
    cpu: float = 0  # seconds of CPU time of the neighbour
    seconds: float = 0  # that the neighbour had its turn
    refused: int = 0  # forks of the neighbour that were
    killed: int = 0  # how often the victim was
    neighbours_killed: int = 0  # processes of the neighbour that were

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(
            self.ms + other.ms,
            self.failed + other.failed,
            self.work + other.work,
            self.cpu + other.cpu,
            self.seconds + other.seconds,
            self.refused + other.refused,
            self.killed + other.killed,
            self.neighbours_killed + other.neighbours_killed,
        )

    def late(self, share: float) -> float | None:
        """A percentile of `ms`."""
        return percentile(self.ms, share)

    @property
    def failures(self) -> float | None:
        """Percent of the victim's acts that failed."""
        acts = len(self.ms) + self.failed
        return 100 * self.failed / acts if acts else None

    @property
    def rate(self) -> float | None:
        """The neighbour's work a second."""
        return self.work / self.seconds if self.seconds else None

    @property
    def cores(self) -> float | None:
        """What the neighbour used on average."""
        return self.cpu / self.seconds if self.seconds else None
