"""What the moments of a proof say."""

from __future__ import annotations

import pytest

from engine.containers.proving.weighing import weigh
from engine.model import Proof
from tui.deck.suspects.draw import proof


def told(share: float | None, error: float | None, running: float = 0.6, frozen: float = 0.02) -> Proof:
    return Proof(
        victim="word", suspect="setup", resource="cpu", measure="psi", rounds=4, seconds=0.3,
        running=running, frozen=frozen, share=share, error=error,
    )  # fmt: skip


def test_a_clear_proof_has_a_small_error() -> None:
    running, frozen, share, error = weigh([(0.6, 0.02), (0.62, 0.0), (0.58, 0.02), (0.6, 0.0)])
    assert (running, frozen) == (pytest.approx(0.6), pytest.approx(0.01))
    assert share == pytest.approx(0.983, abs=0.01)
    assert error
    assert error < 0.1
    assert proof(told(share, error)).endswith("98 ± 7 % of the stall is its")


def test_chance_is_said_to_be_chance() -> None:
    _, _, share, error = weigh([(0.3, 0.5), (0.6, 0.2), (0.2, 0.4), (0.6, 0.3)])
    assert share is not None
    assert error
    assert share < error
    assert "may be chance" in proof(told(share, error))


def test_one_round_tells_no_error_and_no_stall_no_share() -> None:
    assert weigh([(0.5, 0.1)])[3] is None
    assert weigh([(0.01, 0.0)] * 3)[2] is None
    assert "nothing to share out" in proof(told(None, None))
