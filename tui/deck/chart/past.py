"""Where a chart's figures come from: the engine's memory and what was seen since, or a recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from textual.dom import DOMNode

from engine.errors import TiffinError
from engine.model import Event, History
from engine.recording import Recording
from engine.recording.minute import Minute
from engine.recording.summary import HAPPENED
from tui.deck.asking import Asking
from tui.deck.engine_link import Link
from tui.deck.past import Past, Series
from tui.deck.store import Store

TEN_MINUTES = 600.0
BY_FRAMES = 1800.0  # seconds up to which every frame is looked at; beyond, minutes
AGAIN = 5.0  # seconds between two questions for events


class Source(Protocol):
    """What a chart asks for; nothing here waits."""

    @property
    def latest(self) -> float:
        """The moment at the right end."""

    @property
    def whole(self) -> float:
        """Seconds of past there are."""

    @property
    def interval(self) -> float:
        """Seconds between two samples."""

    def begin(self, node: DOMNode, ready: Callable[[], object]) -> None:
        """Start; `ready` is called when there is more to be had than before."""

    def tick(self) -> None:
        """The store has changed."""

    def series(self, ids: Sequence[str], field: str, begin: float, end: float) -> dict[str, Series]:
        """One field of some containers, by id, as far as it is there."""

    def events(self, begin: float, end: float) -> list[Event]:
        """What happened to containers."""


class LivePast:
    """The last ten minutes."""

    def __init__(self, link: Link, store: Store, ids: Sequence[str]) -> None:
        self._link = link
        self._store = store
        self._pasts = {id: Past(TEN_MINUTES) for id in ids}
        self._events: list[Event] = []
        self._asked = 0.0
        self._asking: Asking | None = None
        self._ready: Callable[[], object] = lambda: None

    @property
    def latest(self) -> float:
        """See Source."""
        return self._store.now

    @property
    def whole(self) -> float:
        """See Source."""
        return TEN_MINUTES

    @property
    def interval(self) -> float:
        """See Source."""
        return self._store.snapshot.interval if self._store.snapshot else 1.0

    def begin(self, node: DOMNode, ready: Callable[[], object]) -> None:
        """See Source."""
        self._asking, self._ready = Asking(node), ready
        client = self._link.client
        for id, past in self._pasts.items():

            def take(history: History, past: Past = past) -> None:
                past.seed(history)
                ready()

            self._asking.ask(id, lambda id=id: client.history(id, TEN_MINUTES), take, _nothing)  # type: ignore[misc]
        self.tick()

    def tick(self) -> None:
        """See Source."""
        snapshot = self._store.snapshot
        for id, past in self._pasts.items():
            if snapshot is not None and id in snapshot.samples:
                past.add(snapshot.at, snapshot.samples[id], snapshot.interval)
        now = self.latest
        if self._asking is not None and abs(now - self._asked) >= AGAIN:
            self._asked = now
            client, since = self._link.client, now - TEN_MINUTES
            self._asking.ask("events", lambda: list(client.events(since, now + 1)), self._take, _nothing)

    def _take(self, events: list[Event]) -> None:
        self._events = [e for e in events if e.type == "container" and e.action in HAPPENED]
        self._ready()

    def series(self, ids: Sequence[str], field: str, begin: float, end: float) -> dict[str, Series]:
        """See Source."""
        return {id: self._pasts[id].series(field) for id in ids if id in self._pasts}

    def events(self, begin: float, end: float) -> list[Event]:
        """See Source."""
        return [event for event in self._events if begin <= event.at <= end]


class RecordedPast:
    """A recording, of which the right end is where it is being replayed."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._asking: Asking | None = None
        self._ready: Callable[[], object] = lambda: None
        self._have: tuple[object, dict[str, Series]] = (None, {})
        self._minutes: list[Minute] = []

    @property
    def latest(self) -> float:
        """See Source."""
        return self._recording.end

    @property
    def whole(self) -> float:
        """See Source."""
        return max(60.0, self._recording.end - self._recording.begin)

    @property
    def interval(self) -> float:
        """See Source."""
        return self._recording.header.interval

    def begin(self, node: DOMNode, ready: Callable[[], object]) -> None:
        """See Source."""
        self._asking, self._ready = Asking(node), ready
        self._asking.ask("minutes", self._recording.minutes, self._take_minutes, _nothing)

    def tick(self) -> None:
        """See Source; what was recorded does not change."""

    def series(self, ids: Sequence[str], field: str, begin: float, end: float) -> dict[str, Series]:
        """See Source."""
        wanted = (tuple(ids), field, begin, end)
        if self._have[0] != wanted and self._asking is not None:

            def take(found: dict[str, Series]) -> None:
                self._have = (wanted, found)
                self._ready()

            self._asking.ask("series", lambda: self._read(ids, field, begin, end), take, _nothing)
        return self._have[1] if self._have[0] is None or self._have[0][:2] == wanted[:2] else {}  # type: ignore[index]

    def events(self, begin: float, end: float) -> list[Event]:
        """See Source."""
        return [
            event
            for minute in self._minutes
            for event in minute.events
            if begin <= event.at <= end and event.type == "container" and event.action in HAPPENED
        ]

    def _take_minutes(self, minutes: list[Minute]) -> None:
        self._minutes = minutes
        self._ready()

    def _read(self, ids: Sequence[str], field: str, begin: float, end: float) -> dict[str, Series]:
        if end - begin > BY_FRAMES * self.interval:
            return recorded_minutes(self._recording, ids, field)
        found: dict[str, Series] = {id: [] for id in ids}
        for frame in self._recording.frames(begin, end):
            for id in ids:
                sample = frame.sample(id)
                if sample is not None:
                    found[id].append((frame.at, getattr(sample, field)))
        return found


def recorded_minutes(recording: Recording, ids: Sequence[str], field: str) -> dict[str, Series]:
    """Means over a minute each."""
    header = recording.header
    found: dict[str, Series] = {id: [] for id in ids}
    if field not in header.fields:
        return found
    place = header.fields.index(field)
    for minute in recording.minutes():
        for id in ids:
            if (row := minute.mean.get(id)) is not None and place < len(row):
                value = (row[place] - 1) / header.steps[place] if row[place] else None
                found[id] += [(minute.begin, value), (minute.end, value)]
    return found


def _nothing(error: TiffinError) -> None:
    """There is no past of a container that has not run; the engine's absence is said elsewhere."""
