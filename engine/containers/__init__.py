"""The life of a container: one use case per verb, over the rooms that know how."""

from __future__ import annotations

from engine.containers.containers import Containers

__all__ = ["Containers"]
