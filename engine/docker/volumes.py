"""Volumes as Docker shows them."""

from __future__ import annotations

from engine.docker.times import rfc3339
from engine.model import JSON, VolumeSummary


def volume(summary: VolumeSummary) -> JSON:
    """One volume."""
    return {
        "Name": summary.name,
        "Driver": "local",
        "Mountpoint": summary.path,
        "CreatedAt": rfc3339(summary.created_at),
        "Labels": summary.labels,
        "Options": None,
        "Scope": "local",
    }
