"""Who is hurting whom: from samples to verdicts, without any file or clock; docs/attribution.md tells the method."""

from engine.watch.blame.judge import Judge, Ruling
from engine.watch.blame.parties import Parties

__all__ = ["Judge", "Parties", "Ruling"]
