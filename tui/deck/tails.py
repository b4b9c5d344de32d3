"""The last lines of output for panes that have room for them.

Only panes in view are asked about, one small request each, and those that are silent less and less often:
what it costs is bounded by the screen, not by how many containers there are or how much they write.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from engine.errors import EngineUnavailable, TiffinError
from tui.deck.engine_link import Link

WINDOW = 4096  # bytes of log that are looked at
LINES = 8
SLOWEST = 8  # ticks between two looks at a silent container
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")


class _Log:
    """What is known of one log."""

    end = -1  # offset
    silent = 0  # for how many looks nothing came
    due = 0  # the tick of the next look


class Tails:
    """Follows the ends of some logs in a thread of its own; `deliver` is called there with what is new."""

    def __init__(self, link: Link, deliver: Callable[[dict[str, list[str]]], object]) -> None:
        self._link = link
        self._deliver = deliver
        self._wanted: list[str] = []
        self._wake = threading.Event()
        self._logs: dict[str, _Log] = {}  # of those wanted
        self._tick = 0

    def start(self) -> None:
        """Begin; the thread ends with the process."""
        threading.Thread(target=self._run, daemon=True, name="deck-tails").start()

    def want(self, ids: list[str]) -> None:
        """Look at these once, now: call it once a tick."""
        self._wanted = ids
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            self._tick += 1
            self._logs = {id: self._logs.get(id) or _Log() for id in self._wanted}
            fresh: dict[str, list[str]] = {}
            for id, log in self._logs.items():
                if log.due <= self._tick and (lines := self._look(id, log)) is not None:
                    fresh[id] = lines
            if fresh:
                self._deliver(fresh)

    def _look(self, id: str, log: _Log) -> list[str] | None:
        """The last lines where there are others than last time."""
        client = self._link.client
        try:
            extent = client.log_extent(id)
            if extent.end == log.end:
                log.silent += 1
                log.due = self._tick + min(SLOWEST, log.silent)
                return None
            log.silent, log.due = 0, self._tick + 1
            begin = max(extent.first, extent.end - WINDOW)
            data = client.log_read(id, begin, WINDOW)
        except EngineUnavailable:
            return None  # the link says so, once
        except TiffinError:
            log.due = self._tick + SLOWEST  # removed meanwhile, most likely
            return None
        log.end = extent.end
        return last_lines(data, cut=begin > extent.first)


def last_lines(data: bytes, cut: bool) -> list[str]:
    """The last lines in records of the CRI log format; `cut`: the first record may lack its beginning."""
    records = data.split(b"\n")[1 if cut else 0 :]
    lines: list[str] = []
    partial = False
    for record in records:
        parts = record.split(b" ", 3)
        if len(parts) < 4:
            continue
        text = plain(parts[3].decode("utf-8", "replace"))
        if partial:
            lines[-1] += text
        else:
            lines.append(text)
        partial = parts[2] == b"P"
    return [line for line in lines if line.strip()][-LINES:]


def plain(text: str) -> str:
    """What a line looks like without the colours and cursor movements in it."""
    text = ESCAPES.sub("", text).rstrip("\r")
    return text[text.rfind("\r") + 1 :].replace("\t", "    ")
