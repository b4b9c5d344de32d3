"""Turning a suspicion into a proof: freeze the suspect for moments, and see what becomes of the victim's stall."""

from engine.containers.proving.proving import prove, thaw_left

__all__ = ["prove", "thaw_left"]
