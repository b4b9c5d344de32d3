"""A poll(2) loop with callbacks and named deadlines: all the event loop a monitor needs."""

from __future__ import annotations

import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

IN, OUT = select.POLLIN, select.POLLOUT


class Loop:
    """Calls handlers for descriptors that are ready and for deadlines that have passed."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._deadlines: dict[str, tuple[float, Callable[[], None]]] = {}

    def watch(self, fd: int, events: int, handler: Callable[[int], None]) -> None:
        """Call `handler` with the poll events of `fd`, errors and hang-ups too; replaces a former one."""
        self._handlers[fd] = handler
        self._poll.register(fd, events)

    def forget(self, fd: int) -> None:
        """Stop watching `fd`; to be called before it is closed."""
        if self._handlers.pop(fd, None):
            self._poll.unregister(fd)

    def after(self, name: str, seconds: float, handler: Callable[[], None]) -> None:
        """Call `handler` once when `seconds` have passed; replaces the former deadline of that name."""
        self._deadlines[name] = (time.monotonic() + seconds, handler)

    def cancel(self, name: str) -> None:
        """Drop a deadline, if there is one of that name."""
        self._deadlines.pop(name, None)

    def turn(self) -> None:
        """Wait for the next thing to happen and handle all that is ready."""
        timeout = None
        if self._deadlines:
            timeout = max(0.0, min(d[0] for d in self._deadlines.values()) - time.monotonic()) * 1000
        for fd, events in self._poll.poll(timeout):
            handler = self._handlers.get(fd)  # one handler may have ended another's descriptor
            if handler:
                handler(events)
        now = time.monotonic()
        for name, (when, late) in list(self._deadlines.items()):
            if when <= now and name in self._deadlines:
                del self._deadlines[name]
                late()
