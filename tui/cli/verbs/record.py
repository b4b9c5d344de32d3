"""tiffin record: write what the deck would show to a file, for `tiffin replay`."""

from __future__ import annotations

import argparse
import contextlib
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from engine.client import EngineClient
from engine.errors import BadRequest, EngineUnavailable, KernelError, TiffinError
from engine.model import Event, Snapshot
from engine.recording import Taker, Writer
from tui.cli.door import engine
from tui.cli.output import notice
from tui.cli.parser import Parser
from tui.presentation import entry
from tui.presentation.quantities import size
from tui.presentation.times import duration

AGAIN = 0.5  # seconds between looks for an engine that went away
SHORTEST = 1.0  # seconds; the engine measures once a second


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    add = parser.argument
    add("--seconds", read=entry.duration, metavar="TIME", help="end after so long: 90, 10m; else until ^C")
    add("--max-size", read=entry.size, metavar="SIZE", help="keep no more than this, the latest: 64m, 1g")
    add("--interval", read=_interval, default=SHORTEST, metavar="TIME", help="one frame in so long: 1, 10s")
    add("file", nargs="?", metavar="FILE", completes="file", help="an existing recording is continued")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    path = Path(args.file or f"{socket.gethostname()}-{time.strftime('%Y%m%d-%H%M%S')}.tiffin")
    writer = Writer(path, args.interval, version("tiffin"), args.max_size)
    began = time.monotonic()
    ends = began + args.seconds if args.seconds is not None else float("inf")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's way to say the same
    notice(f"recording to {path}" + ("" if args.seconds else "; ^C ends it"))
    taker = Taker(args.interval)
    events = _Events(client)
    try:
        for snapshot in _snapshots(client, ends):
            if (taken := taker.take(snapshot)) is not None:
                _add(writer, taken, events.take())
            if time.monotonic() >= ends:
                break
    except KeyboardInterrupt:
        pass
    finally:
        writer.close()
    took = duration(time.monotonic() - began)
    notice(f"recorded {writer.frames} frames in {took}; {path} has {size(path.stat().st_size)}")
    return 0


def _interval(text: str) -> float:
    seconds = entry.duration(text)
    if not SHORTEST <= seconds <= 3600:
        raise BadRequest("not between a second and an hour", "write 1, 10s or 1m")
    return seconds


def _add(writer: Writer, snapshot: Snapshot, events: list[Event]) -> None:
    try:
        writer.add(snapshot, events)
    except OSError as error:
        raise KernelError.of(
            f"writing {writer.path}", error, "what was recorded until now is in it"
        ) from error


def _snapshots(client: EngineClient, ends: float) -> Iterator[Snapshot]:
    """Those of the engine; while there is none, its return is waited for."""
    while time.monotonic() < ends:
        with contextlib.suppress(EngineUnavailable):
            yield from client.live()
        if time.monotonic() >= ends:
            return
        notice("the engine went away; recording goes on when it is back")
        while time.monotonic() < ends:
            time.sleep(min(AGAIN, max(0.0, ends - time.monotonic())))
            with contextlib.suppress(EngineUnavailable):
                EngineClient.connect(client.instance, start=False)
                break


class _Events:
    """What happens, followed in a thread; `take` gives what has come since."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client
        self._come: deque[Event] = deque()
        self._last = time.time()
        threading.Thread(target=self._follow, daemon=True, name="events").start()

    def take(self) -> list[Event]:
        """Each event once."""
        return [self._come.popleft() for _ in range(len(self._come))]

    def _follow(self) -> None:
        while True:
            with contextlib.suppress(TiffinError):
                for event in self._client.events(since=self._last):
                    if event.at > self._last:
                        self._last = event.at
                        self._come.append(event)
            time.sleep(AGAIN)
