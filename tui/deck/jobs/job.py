"""One piece of long work, what is known of it, and how it is ended early."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Literal, Protocol

import msgspec

Verb = Literal["pull", "push", "build", "load", "save", "import"]
State = Literal["runs", "done", "failed", "cancelled"]

OUTPUT = 5_000  # lines kept of a build's output


class Part(msgspec.Struct, frozen=True):
    """One part of a job as a screen shows it: a layer, a blob, a step."""

    label: str
    done: int = 0  # bytes
    total: int | None = None  # bytes; None while it is not known
    rate: float | None = None  # bytes a second, while it moves
    status: str = ""  # in a few words: "waiting", "unpacking"
    finished: bool = False


class View(msgspec.Struct, frozen=True):
    """A job at one moment."""

    id: int
    verb: Verb
    subject: str
    state: State
    told: str  # what it is doing, or what became of it
    parts: tuple[Part, ...]
    seconds: float  # since it began, or that it took
    lines: int  # of output so far, dropped ones too

    @property
    def done(self) -> int:
        """Bytes of all parts."""
        return sum(part.done for part in self.parts)

    @property
    def total(self) -> int | None:
        """Bytes of all parts; None while that of one is not known."""
        totals = [part.total for part in self.parts]
        return None if not totals or None in totals else sum(total or 0 for total in totals)

    @property
    def rate(self) -> float | None:
        """Bytes a second of all parts that move; None where none does."""
        rates = [part.rate for part in self.parts if part.rate is not None]
        return sum(rates) if rates else None

    @property
    def share(self) -> float | None:
        """How much of it is done, 0 to 1; None while that cannot be told."""
        total = self.total
        if total:
            return min(1.0, self.done / total)
        return 1.0 if self.state == "done" else None


class Cancelled(Exception):
    """The job was ended by its user."""


class Closable(Protocol):
    """What a job waits for; closing it wakes the job."""

    def close(self) -> None: ...


class Job:
    """What its thread tells of it, and `view` for the screen; any thread may call anything."""

    def __init__(self, id: int, verb: Verb, subject: str, clock: Callable[[], float] = monotonic) -> None:
        self.id = id
        self.verb: Verb = verb
        self.subject = subject
        self._clock = clock
        self._lock = threading.Lock()
        self._state: State = "runs"
        self._told = ""
        self._parts: tuple[Part, ...] = ()
        self._lines: deque[str] = deque(maxlen=OUTPUT)
        self._count = 0
        self._begun = clock()
        self._ended = 0.0
        self._cancelled = False
        self._holds: Closable | None = None
        self.made = ""  # id of the image that came of it

    # ── told by its thread ──────────────────────────────────────────────────────────────────────────────────

    def tell(self, text: str) -> None:
        """What it is doing now."""
        self._check()
        with self._lock:
            self._told = text

    def show(self, parts: Sequence[Part]) -> None:
        """How far its parts are. Raises Cancelled, as the others do, where the job is to end."""
        self._check()
        with self._lock:
            self._parts = tuple(parts)

    def write(self, line: str) -> None:
        """One line of output."""
        self._check()
        with self._lock:
            self._lines.append(line)
            self._count += 1

    def hold(self, what: Closable) -> None:
        """What it waits for from now on: closed where the job is cancelled."""
        with self._lock:
            self._holds = what
            cancelled = self._cancelled
        if cancelled:
            what.close()
        self._check()

    def _check(self) -> None:
        if self._cancelled:
            raise Cancelled

    def end(self, state: State, told: str) -> None:
        """It has ended; what became of it."""
        with self._lock:
            self._state, self._told, self._ended = state, told, self._clock()
            self._holds = None

    # ── asked by the screen ─────────────────────────────────────────────────────────────────────────────────

    @property
    def cancelled(self) -> bool:
        """Whether it was told to end."""
        return self._cancelled

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._state == "runs"

    def cancel(self) -> None:
        """Tell it to end; returns at once."""
        with self._lock:
            self._cancelled = True
            self._told = "ending"
            holds = self._holds
        if holds is not None:
            with suppress(OSError):
                holds.close()

    def view(self) -> View:
        """It, as of now."""
        with self._lock:
            seconds = (self._ended or self._clock()) - self._begun
            return View(
                self.id, self.verb, self.subject, self._state, self._told, self._parts, seconds, self._count
            )

    def output(self) -> list[str]:
        """The lines of output that are kept."""
        with self._lock:
            return list(self._lines)
