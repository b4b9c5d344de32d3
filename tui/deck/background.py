"""Work that must not hold up the screen, in daemon threads: quitting never waits for it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class Background:
    """Runs callables in threads; those with the same lane one after the other, in the order they came."""

    def __init__(self) -> None:
        self._lanes: dict[str, deque[Callable[[], None]]] = {}
        self._lock = threading.Lock()

    def run(self, work: Callable[[], None], lane: str = "") -> None:
        """Start `work`; without a lane at once, whatever else is under way."""
        if not lane:
            threading.Thread(target=work, daemon=True, name="deck-call").start()
            return
        with self._lock:
            if (waiting := self._lanes.get(lane)) is not None:
                waiting.append(work)
                return
            self._lanes[lane] = deque([work])
        threading.Thread(target=self._drain, args=(lane,), daemon=True, name=f"deck-{lane}").start()

    def _drain(self, lane: str) -> None:
        while True:
            with self._lock:
                if not self._lanes[lane]:
                    del self._lanes[lane]
                    return
                work = self._lanes[lane].popleft()
            work()
