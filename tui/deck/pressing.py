"""Which stall the banner is about, and who is marked: calm, whatever the figures do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.model import Blame, Cause
from tui.presentation.blame import SURE
from tui.presentation.states import SUSPECT, VICTIM

MARGIN = 0.15  # of stall by which another must be worse than the one that is shown
FRESH = 3.0  # seconds for which figures in the banner stay as they are
WEIGHT: dict[Cause, float] = {"neighbour": 1.0, "limit": 0.8, "host": 0.6, "unclear": 0.5, "itself": 0.3}
"""How much a stall is worth a word: one that somebody can be asked to end, before one that its owner makes."""


class Pressing:
    """The verdict that is shown; `blame` is None while nobody stalls."""

    def __init__(self) -> None:
        self.blame: Blame | None = None
        self._told = 0.0  # when the figures shown were taken

    def take(self, verdicts: Mapping[str, list[Blame]], known: Iterable[str], now: float) -> None:
        """Take the verdicts of a snapshot; one of `known`, the containers, goes before a cgroup of the host."""
        mine = set(known)
        every = [blame for found in verdicts.values() for blame in found]
        every = [blame for blame in every if blame.id in mine] or every
        if not every:
            self.blame = None
            return
        shown = self.blame
        same = next((b for b in every if shown and (b.id, b.resource) == (shown.id, shown.resource)), None)
        worst = max(every, key=_worth)
        if same is None or _worth(worst) > _worth(same) + MARGIN:
            self.blame, self._told = worst, now
        elif now - self._told >= FRESH or now < self._told or _who(same) != _who(self.blame):
            self.blame, self._told = same, now


def _worth(blame: Blame) -> float:
    return blame.stall * WEIGHT[blame.cause]


def _who(blame: Blame | None) -> tuple[str, str]:
    return ("", "") if blame is None else (blame.cause, blame.accused.id if blame.accused else "")


def signs(verdicts: Mapping[str, list[Blame]]) -> dict[str, str]:
    """▲ for whom somebody's stall is laid at the door, ▽ for those that stall otherwise, by id."""
    found = dict[str, str]()
    for id, blames in verdicts.items():
        if any(blame.cause != "itself" for blame in blames):
            found[id] = VICTIM
    for blames in verdicts.values():
        for blame in blames:
            if blame.accused is not None:
                found |= {suspect.id: SUSPECT for suspect in blame.suspects if suspect.confidence >= SURE}
    return found
