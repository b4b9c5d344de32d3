"""Fit the confidence: a logistic regression, for each resource, on traces whose culprits are known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from benchmarks.blame.judging import Outcome, judge
from benchmarks.blame.trace import Trace
from engine.model import RESOURCES, Resource
from engine.watch.blame.confidence import Curve

Point = tuple[tuple[float, ...], bool]
"""Evidence against one suspect, and whether it was a hog."""

PENALTY = (
    0.0005  # on the squares of the weights: hogs that are told apart without fail would make them endless
)
STEPS = 12


def points(outcomes: Iterable[Outcome], resource: Resource) -> list[Point]:
    """The evidence at every verdict on a victim."""
    return [
        ((1.0, suspect.share, suspect.correlation, suspect.together), is_hog)
        for outcome in outcomes
        if outcome.trace.resource == resource
        for suspect, is_hog in outcome.weighed
    ]


def fit(data: Sequence[Point]) -> Curve:
    """Newton's method; both kinds weigh the same, however many there are of each."""
    guilty = sum(1 for _, is_hog in data if is_hog) or 1
    innocent = len(data) - guilty or 1
    weights = [0.0] * 4
    for _ in range(STEPS):
        slope = [PENALTY * weight * (place > 0) for place, weight in enumerate(weights)]
        bend = [[PENALTY * (row == column and row > 0) for column in range(4)] for row in range(4)]
        for evidence, is_hog in data:
            odds = sum(weight * value for weight, value in zip(weights, evidence, strict=True))
            chance = 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))
            counts = 0.5 / (guilty if is_hog else innocent)
            for row in range(4):
                slope[row] += counts * (chance - is_hog) * evidence[row]
                for column in range(4):
                    bend[row][column] += counts * chance * (1 - chance) * evidence[row] * evidence[column]
        weights = [weight - step for weight, step in zip(weights, solved(bend, slope), strict=True)]
    # A hog is itself slowed down while it is contended with: that its use then falls speaks not for it.
    return Curve(round(weights[0], 2), *(max(0.0, round(weight, 2)) for weight in weights[1:]))


def solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """x with matrix · x = right, by elimination."""
    size = len(right)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for place in range(size):
        best = max(range(place, size), key=lambda row: abs(rows[row][place]))
        rows[place], rows[best] = rows[best], rows[place]
        for row in range(size):
            if row != place:
                factor = rows[row][place] / rows[place][place]
                rows[row] = [one - factor * other for one, other in zip(rows[row], rows[place], strict=True)]
    return [rows[place][size] / rows[place][place] for place in range(size)]


def fitted(traces: Iterable[Trace]) -> dict[Resource, Curve]:
    """A curve for each resource."""
    outcomes = [judge(trace, rest=False) for trace in traces]
    return {resource: fit(points(outcomes, resource)) for resource in RESOURCES}


def reliability(outcomes: Iterable[Outcome]) -> list[tuple[float, float, int, int]]:
    """In steps of a fifth: from, to, how many suspects had such a confidence, and how many of them were hogs."""
    counts = [[0, 0] for _ in range(5)]
    for outcome in outcomes:
        for suspect, is_hog in outcome.weighed:
            place = min(4, int(suspect.confidence * 5))
            counts[place][0] += 1
            counts[place][1] += is_hog
    return [(place / 5, (place + 1) / 5, every, hogs) for place, (every, hogs) in enumerate(counts)]
