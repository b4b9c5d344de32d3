"""How one cgroup's use went with another's stall.

`antagonist` is the correlation of CPI² (Zhang et al., EuroSys 2013, section 4.2) with the share of time stalled,
PSI, in the place of cycles per instruction. Two more say what it cannot: `share`, how much of all that was used
while the victim waited was the suspect's, and `together`, whether both rose and fell together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

THETA = 0.15
"""The stall from which a tick speaks against who was busy in it, and below which it speaks for him."""

SPREAD = 0.1
"""Standard deviation of a stall below which it was steady: how others' use changed meanwhile then tells little."""


def antagonist(stall: Sequence[float], use: Sequence[float], theta: float = THETA) -> float:
    """−1 to 1: use weighed by how far above or below `theta` the stall was at that time; 0 without any use."""
    total = sum(use)
    if total <= 0:
        return 0.0
    score = 0.0
    for waited, used in zip(stall, use, strict=True):
        if waited > theta:
            score += used * (1 - theta / waited)
        else:
            score += used * (waited / theta - 1)
    return score / total


def share(stall: Sequence[float], use: Sequence[float], all_use: Sequence[float]) -> float:
    """0 to 1: of everything used, weighed by the stall of its time, what part was this one's."""
    whole = sum(waited * used for waited, used in zip(stall, all_use, strict=True))
    if whole <= 0:
        return 0.0
    return min(sum(waited * used for waited, used in zip(stall, use, strict=True)) / whole, 1.0)


def together(stall: Sequence[float], use: Sequence[float]) -> float:
    """−1 to 1: Pearson's correlation, drawn towards 0 the less the stall changed."""
    count = len(stall)
    if count < 3:
        return 0.0
    mean_stall, mean_use = sum(stall) / count, sum(use) / count
    of_stall = sum((waited - mean_stall) ** 2 for waited in stall) / count
    of_use = sum((used - mean_use) ** 2 for used in use) / count
    if of_use <= (mean_use * 1e-6) ** 2 or of_stall <= 1e-12:
        return 0.0
    both = sum((w - mean_stall) * (u - mean_use) for w, u in zip(stall, use, strict=True)) / count
    pearson = both / math.sqrt(of_stall * of_use)
    return max(-1.0, min(1.0, pearson * of_stall / (of_stall + SPREAD**2)))
