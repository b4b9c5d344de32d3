"""The demos: contained experiments with real processes, each measured without protection and with it."""

from __future__ import annotations

from engine.scenarios.scenarios import Scenarios

__all__ = ["Scenarios"]
