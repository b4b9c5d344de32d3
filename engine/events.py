"""What happened: the last events in memory, the last few megabytes of them in files, and who listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec

from engine.model import Event

RING = 4096  # events kept in memory, and read back after a restart
FILE_MAX = 4 << 20  # bytes of events.ndjson until it becomes events.ndjson.1, whose predecessor goes
QUEUE = 512  # events a listener may be behind

log = logging.getLogger(__name__)


class Events:
    """The instance's events, oldest first; lives in the engine's loop."""

    def __init__(self, path: Path) -> None:
        """Open the events kept at `path` (events.ndjson), reading back the latest of an earlier engine."""
        self._path = path
        self._older = path.with_name(path.name + ".1")
        self._ring: deque[Event] = deque(maxlen=RING)
        self._listeners: set[Listener] = set()
        for file in (self._older, path):
            self._ring.extend(_read(file))
        self._fd, self._size = self._open()

    def close(self) -> None:
        """Close the file and end all listeners."""
        for listener in list(self._listeners):
            listener.close()
        os.close(self._fd)

    def emit(
        self, type: str, action: str, id: str, name: str = "", attributes: Mapping[str, str] | None = None
    ) -> Event:
        """Record an event now and tell all listeners."""
        attributes = dict(attributes or {})
        event = Event(at=time.time(), type=type, action=action, id=id, name=name, attributes=attributes)
        self._ring.append(event)
        try:
            self._append(msgspec.json.encode(event) + b"\n")
        except OSError as error:  # a full disk must not keep a container from being stopped
            log.warning("writing %s: %s", self._path, error.strerror)
        for listener in self._listeners:
            listener.put(event)
        return event

    def since(self, at: float, until: float = math.inf) -> list[Event]:
        """Events from `at` up to `until` (Unix seconds) that are still remembered."""
        return [event for event in self._ring if at <= event.at <= until]

    def listen(self) -> Listener:
        """Hear every event from now on; the listener must be closed."""
        return Listener(self._listeners)

    def _open(self) -> tuple[int, int]:
        fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":  # an engine died inside a write: end its line
            size += os.write(fd, b"\n")
        return fd, size

    def _append(self, line: bytes) -> None:
        if self._size + len(line) > FILE_MAX:
            self._path.replace(self._older)
            os.close(self._fd)
            self._fd, self._size = self._open()
        self._size += os.write(self._fd, line)


class Listener:
    """One reader's bounded queue of events: an async iterator, and a context manager that closes it.

    What a slow reader misses is counted and told to it as one event of type "events", action "dropped".
    """

    def __init__(self, listeners: set[Listener]) -> None:
        self._listeners = listeners
        self._queue: deque[Event] = deque()
        self._dropped = 0
        self._closed = False
        self._wake = asyncio.Event()
        listeners.add(self)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Hear no more; a reader that waits gets what is queued, then the end."""
        self._closed = True
        self._listeners.discard(self)
        self._wake.set()

    def put(self, event: Event) -> None:
        """Queue an event, in place of the oldest where the reader is too far behind."""
        if len(self._queue) == QUEUE:
            self._queue.popleft()
            self._dropped += 1
        self._queue.append(event)
        self._wake.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                if self._dropped:
                    count, self._dropped = str(self._dropped), 0
                    at = self._queue[0].at
                    yield Event(at=at, type="events", action="dropped", id="", attributes={"count": count})
                yield self._queue.popleft()
            if self._closed:
                return


def _read(path: Path) -> list[Event]:
    """The events in a file; lines that are not whole ones are passed over."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    events: list[Event] = []
    for line in lines[-RING - 1 :]:
        with contextlib.suppress(msgspec.MsgspecError):
            events.append(msgspec.json.decode(line, type=Event))
    return events
