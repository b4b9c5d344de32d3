"""The demos' tests make no difference between cgroup versions, so they run on this kernel only."""

from __future__ import annotations

from tests.system.conftest import client, instance

__all__ = ["client", "instance"]
