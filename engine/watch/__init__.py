"""Watching: samples of host and containers, their history, live snapshots, and the doctor."""

from engine.watch.history import History
from engine.watch.live import Watch
from engine.watch.sampler import Sampler, Target

__all__ = ["History", "Sampler", "Target", "Watch"]
