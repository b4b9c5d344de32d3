"""The one door for front ends: synchronous, thread-safe, light to import (no asyncio, no aiohttp)."""

from engine.client.client import EngineClient
from engine.client.stream import Stream

__all__ = ["EngineClient", "Stream"]
