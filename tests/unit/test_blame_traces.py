"""Recorded scenarios judged again: culprits are found, and nobody is accused in quiet runs."""

from __future__ import annotations

import pytest

from benchmarks.blame.judging import judge
from benchmarks.blame.plan import plan
from benchmarks.blame.trace import FOLDER, Trace, load

MOST = 24  # traces; `make blame` judges all


@pytest.fixture(scope="module")
def traces() -> list[Trace]:
    return load(1)[:MOST]


@pytest.mark.timeout(120)
def test_blame_is_as_right_as_it_is_said_to_be(traces: list[Trace]) -> None:
    outcomes = [judge(trace) for trace in traces]
    for kind in ("hogs", "quiet"):
        counted = [outcome for outcome in outcomes if outcome.trace.kind == kind and not outcome.void]
        assert len(counted) >= 5
        wrong = [outcome.trace.seed for outcome in counted if not outcome.right]
        assert len(wrong) <= 0.05 * len(counted), wrong
    assert all(outcome.right for outcome in outcomes if outcome.trace.kind == "limit")


def test_a_seed_makes_the_same_scenario_again() -> None:
    assert plan(5) == plan(5) != plan(11)
    for path in sorted(FOLDER.glob("*.json.zst"))[:3]:
        seed = int(path.name[:4])
        assert 10 <= len(plan(seed).bystanders) <= 30
