"""Networks and volumes."""

from __future__ import annotations

from typing import Literal

from engine.model.base import Noun


class NetworkSummary(Noun, frozen=True):
    """One network of the instance."""

    id: str
    name: str
    driver: Literal["bridge", "none", "host"]
    created_at: float = 0
    bridge: str = ""
    subnet: str = ""  # "10.88.0.0/16"
    gateway: str = ""
    containers: dict[str, str] = {}  # address by container id


class VolumeSummary(Noun, frozen=True):
    """One named volume."""

    name: str
    path: str
    created_at: float
    labels: dict[str, str] = {}
    used_by: list[str] = []  # container ids
