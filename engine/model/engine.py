"""The engine itself, what the doctor finds, and what an error looks like on the wire."""

from __future__ import annotations

from typing import Literal

from engine.model.base import Noun


class ProcessCost(Noun, frozen=True):
    """One process of tiffin's own."""

    role: Literal["engine", "launcher", "monitor"]
    pid: int
    pss: int  # bytes, proportional set size
    cpu_seconds: float
    container: str = ""


class EngineStatus(Noun, frozen=True):
    """What `tiffin engine status` tells."""

    version: str
    pid: int
    socket: str
    state: str
    started_at: float
    cgroup_mode: str  # "v1", "v2", "hybrid"
    containers: int
    running: int
    processes: list[ProcessCost]


class Check(Noun, frozen=True):
    """One finding of the doctor."""

    name: str
    verdict: Literal["ok", "limited", "missing"]
    found: str  # what this host has
    cost: str = ""  # what its lack costs
    remedy: str = ""


class DoctorReport(Noun, frozen=True):
    """What this host has, what is missing, what that costs."""

    kernel: str
    cgroup_mode: str
    root: bool
    checks: list[Check]


class Problem(Noun, frozen=True):
    """Body of an error answer; Docker's clients read `message`, tiffin's also the rest."""

    message: str
    remedy: str = ""
    kind: str = ""  # class name in engine.errors
    exit_code: int = 1
