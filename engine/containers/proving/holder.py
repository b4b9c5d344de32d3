"""Freezes a cgroup for moments and measures another's stall meanwhile; thaws it whatever happens.

A process of its own, `python -I -S holder.py JSON`, that imports nothing of the engine: it is the one that holds the
freezer, so that the engine may be killed at any moment. Its standard input is a pipe from the engine: when that closes
it thaws and ends. It ignores every signal that can be ignored, and never freezes for longer than it was told.
"""

import json
import os
import random
import select
import signal
import sys
import time
from typing import Any

FREEZES_WITHIN = 0.5  # seconds; a process in an uninterruptible sleep freezes only when that ends


class Over(Exception):
    """The engine is gone."""


class Held:
    """The cgroup, its files opened before anything is frozen."""

    def __init__(self, freeze: str, on: str, off: str, told: str, frozen: str) -> None:
        self._fd = os.open(freeze, os.O_WRONLY | os.O_CLOEXEC)
        self._told = os.open(told, os.O_RDONLY | os.O_CLOEXEC)
        self._on, self._off, self._frozen = on.encode(), off.encode(), frozen.encode()

    def freeze(self) -> None:
        """Stop it, and wait until all of it stands still."""
        os.write(self._fd, self._on)
        end = time.monotonic() + FREEZES_WITHIN
        while self._frozen not in os.pread(self._told, 256, 0):
            if time.monotonic() > end:
                raise TimeoutError
            wait(0.002)

    def thaw(self) -> None:
        """Let it go on; also where it does not stand still, or is gone."""
        try:
            os.write(self._fd, self._off)
        except OSError:
            pass


def wait(seconds: float) -> None:
    """Sleep, but not beyond the engine's end."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([0], [], [], left)[0]:
            raise Over


def stalled(pressure: str, threads: str) -> int:
    """µs that the victim stalled, since some time: PSI `some`, or what its threads waited on run queues."""
    if pressure:
        with open(pressure, "rb") as file:
            return int(file.readline().rsplit(b"=", 1)[1])
    total = 0
    with open(threads, "rb") as file:
        for thread in file.read().split()[:256]:
            try:
                with open(b"/proc/" + thread + b"/schedstat", "rb") as counts:
                    total += int(counts.read().split()[1])
            except OSError:
                continue
    return total // 1000


def share(given: dict[str, Any], settle: float) -> float:
    """What part of the next moment the victim stalled."""
    wait(settle)
    began, before = time.monotonic(), stalled(given["pressure"], given["threads"])
    wait(given["seconds"])
    now, after = time.monotonic(), stalled(given["pressure"], given["threads"])
    return min(1.0, max(0.0, (after - before) / 1e6 / (now - began)))


def main() -> None:
    """Do what the argument says; the answer on standard output."""
    for number in (
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGPIPE,
        signal.SIGTSTP,
    ):
        signal.signal(number, signal.SIG_IGN)
    given = json.loads(sys.argv[1])
    held = Held(given["freeze"], given["on"], given["off"], given["told"], given["frozen"])
    pairs, problem = [], ""
    try:
        for _ in range(given["rounds"]):
            pair = {}
            for still in random.sample((False, True), 2):
                if still:
                    held.freeze()
                try:
                    pair[still] = share(given, given["settle"])
                finally:
                    held.thaw()
            pairs.append((pair[False], pair[True]))
    except TimeoutError:
        problem = "timeout"
    except Over:
        problem = "over"
    finally:
        held.thaw()
    print(json.dumps({"pairs": pairs, "problem": problem}), flush=True)


main()
