"""From evidence to the chance that a suspect is a cause: a logistic curve, fitted to scenarios whose culprits are
known. `make blame` measures it on others; see docs/attribution.md. The figures below are printed by
`python -m benchmarks.blame fit`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from engine.model import Resource


class Curve(NamedTuple):
    """Weights of the evidence; `base` is what there is without any."""

    base: float
    share: float
    antagonist: float
    together: float


CURVES: dict[Resource, Curve] = {
    "cpu": Curve(-6.11, 17.9, 4.23, 1.36),
    "memory": Curve(-2.2, 16.8, 0.91, 0.0),
    "io": Curve(-2.23, 14.12, 0.0, 0.0),
}
HIGH, SURE = 0.8, 0.5
"""From where a confidence is called high, and from where a suspect is named as the cause."""


def confidence(resource: Resource, share: float, antagonist: float, together: float) -> float:
    """0 to 1."""
    curve = CURVES[resource]
    odds = curve.base + curve.share * share + curve.antagonist * antagonist + curve.together * together
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))
