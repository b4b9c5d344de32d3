"""Short ways to write a finding."""

from __future__ import annotations

from engine.model import Check


def ok(name: str, found: str) -> Check:
    """All is there."""
    return Check(name=name, verdict="ok", found=found)


def limited(name: str, found: str, cost: str, remedy: str = "") -> Check:
    """tiffin works, with less."""
    return Check(name=name, verdict="limited", found=found, cost=cost, remedy=remedy)


def missing(name: str, found: str, cost: str, remedy: str = "") -> Check:
    """Something does not work at all."""
    return Check(name=name, verdict="missing", found=found, cost=cost, remedy=remedy)
