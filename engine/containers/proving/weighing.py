"""What the moments of a proof say, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence

STALL = 0.03  # below this mean stall there is nothing to share out
T = (0.0, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t for 95 %, two-sided, by degrees of freedom."""


def weigh(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float | None, float | None]:
    """Of (running, frozen) stalls: both means, the share of the stall that went with freezing, and its error.

    Pairs are measured next to each other, so that what changes slowly cancels out; the error is half of the
    confidence interval of their mean difference, as a share of the stall.
    """
    count = len(pairs)
    running = sum(pair[0] for pair in pairs) / count
    frozen = sum(pair[1] for pair in pairs) / count
    if running < STALL:
        return running, frozen, None, None
    differences = [one - other for one, other in pairs]
    mean = sum(differences) / count
    share = max(0.0, min(1.0, mean / running))
    if count < 2:
        return running, frozen, share, None
    spread = math.sqrt(sum((value - mean) ** 2 for value in differences) / (count - 1))
    return running, frozen, share, T[min(count - 1, len(T) - 1)] * spread / math.sqrt(count) / running
