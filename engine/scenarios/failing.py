"""Duels in which the victim's acts do not take longer, but fail."""

from __future__ import annotations

from engine.model import Measure
from engine.scenarios.duel import NEIGHBOUR, Duel
from engine.scenarios.run import Lane
from engine.scenarios.tally import Tally


class FailingDuel(Duel):
    """The victim's number is the share of its acts that failed."""

    unit = "%"

    def suffered(self, tally: Tally) -> float | None:
        """See Duel."""
        return tally.failures

    def draw(self, lane: Lane, took: list[float], failed: int) -> None:
        """See Duel."""
        if took or failed:
            lane.point(100 * failed / (len(took) + failed))

    def words(self, before: float, after: float, kept: float | None) -> str:
        """See Duel."""
        what = self.suffering.partition(" ")[0]
        apart = f"{after:.0f} %" if after else "none"
        kept_words = "" if kept is None else f"; {kept:.0%} of {NEIGHBOUR}'s work kept"
        return f"{before:.0f} % of the {what} failed together, {apart} apart{kept_words}."

    def measures(self, tally: Tally) -> list[Measure]:
        """See Duel."""
        return [
            Measure(label="went well", value=len(tally.ms), unit="×"),
            Measure(label="failed", value=tally.failed, unit="×"),
            Measure(label=self.work, value=tally.rate, unit="/s"),
        ]
