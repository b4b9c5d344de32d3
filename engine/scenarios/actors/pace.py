"""Acts that are due at a steady pace, each timed from when it was due: one that is late makes the next late too."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .wire import Wire

BATCH = 0.2  # seconds of acting a message
HOPELESS = 1.0  # seconds behind from which nobody catches up


def keep(wire: Wire, every: float, act: Callable[[], bool], **told: Any) -> None:
    """Act every so many seconds until the order to halt; `act` says whether it went well."""
    while _keep(wire, every, act, told):
        pass


def _keep(wire: Wire, every: float, act: Callable[[], bool], told: dict[str, Any]) -> bool:
    """False at the order to halt; True where it is so far behind that it has to begin anew."""
    due = sent = time.monotonic()
    took: list[float] = []
    failed = 0
    while True:
        due += every
        if wire.order(due - time.monotonic()):
            wire.tell(ms=took, failed=failed, **told)
            return False
        went_well = act()
        now = time.monotonic()
        if went_well:
            took.append(round((now - due) * 1000, 3))
        else:
            failed += 1
        if now - sent >= BATCH:
            wire.tell(ms=took, failed=failed, **told)
            took, failed, sent = [], 0, now
        if now - due > HOPELESS:
            return True
