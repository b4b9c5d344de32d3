"""A recording in short: its worst moments, who used what, and what happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.model import Event
from engine.model.base import Noun
from engine.recording.frame import Header
from engine.recording.minute import HOST, OOM, STALLS, Minute, Worst
from engine.recording.reader import Recording

NOTED = 0.2  # from this share of the time on, waiting is worth naming
APART = 20.0  # seconds between two worst moments of one container
MOST = 40  # worst moments that are named
HAPPENED = ("start", "die", OOM, "update", "pause", "unpause", "destroy", "rename", "restart")
"""Actions of events that tell what happened to a container; the others are of interest only while one watches."""


class Use(Noun, frozen=True):
    """What one container used while it was recorded; None where the host could not tell."""

    id: str
    name: str
    seconds: float  # for which it was measured
    cpu: float | None  # cores, on average
    cpu_most: float | None  # in a second
    stall: float | None  # share of the time in which it waited for a CPU
    stall_most: float | None
    throttled: float | None
    memory_most: int | None  # bytes
    io_read: float | None  # bytes, altogether
    io_written: float | None
    net_received: float | None
    net_sent: float | None


class Summary(Noun, frozen=True):
    """The whole recording."""

    begin: float
    end: float
    frames: int
    hostname: str
    cores: int
    cpu: float | None  # cores busy, on average
    use: list[Use]  # who used most CPU first
    worst: list[Worst]  # the worst first
    events: list[Event]  # what happened to containers, oldest first
    notes: list[str]  # what is missing


def summary(recording: Recording) -> Summary:
    """All of it; takes as long as reading its minutes does."""
    minutes, header = recording.minutes(), recording.header
    host = _Means(minutes, HOST, header)
    ids = {id for minute in minutes for id in minute.rows if id != HOST}
    names = {id: name for minute in minutes for id, name in minute.names.items()}
    use = [_use(id, names.get(id, id[:12]), _Means(minutes, id, header)) for id in ids]
    return Summary(
        begin=recording.begin,
        end=recording.end,
        frames=len(recording),
        hostname=header.hostname,
        cores=round(host.most("cores") or 1),
        cpu=host.mean("cpu"),
        use=sorted(use, key=lambda one: (-(one.cpu or 0) * one.seconds, one.name)),
        worst=worst(minutes),
        events=happened(minutes),
        notes=recording.notes,
    )


def worst(minutes: Iterable[Minute]) -> list[Worst]:
    """The worst moments, the worst first; of moments near each other that are about one container, one."""
    candidates = [one for minute in minutes for one in minute.worst if one.kind == OOM or one.share >= NOTED]
    candidates.sort(key=lambda one: (one.kind != OOM, -one.share, one.at))
    found: list[Worst] = []
    for one in candidates:
        if not any(one.id == other.id and abs(one.at - other.at) < APART for other in found):
            found.append(one)
    return found[:MOST]


def happened(minutes: Iterable[Minute]) -> list[Event]:
    """What happened to containers, oldest first."""
    events = [event for minute in minutes for event in minute.events]
    return [event for event in events if event.type == "container" and event.action in HAPPENED]


def suffering(recording: Recording, frames: int = 1200) -> list[tuple[float, float, float]]:
    """From when to when, and how much who suffered most then suffered: by frames where there are few, else minutes."""
    if len(recording) > frames:
        return [
            (minute.begin, minute.end, max((one.share for one in minute.worst), default=0.0))
            for minute in recording.minutes()
        ]
    found: list[tuple[float, float, float]] = []
    for frame in recording.frames():
        header = frame.header
        wide, place = len(header.fields), len(header.host_fields)
        columns = [header.fields.index(kind) for kind in STALLS if kind in header.fields]
        most = 0.0
        for column in columns:
            steps = frame.table[place + column :: wide]
            most = max(most, (max(steps, default=0) - 1) / header.steps[column])
        before = found[-1][1] if found else 0.0  # a sample is of all the time since the one before it
        found.append((max(before, frame.at - 1.5 * header.interval), frame.at, most))
    return found


class _Means:
    """One row's figures over all minutes that have it."""

    def __init__(self, minutes: Sequence[Minute], id: str, header: Header) -> None:
        self._fields = header.host_fields if id == HOST else header.fields
        self._steps = header.host_steps if id == HOST else header.steps
        wide = len(self._fields)
        self._minutes = [
            (minute, minute.mean[id], minute.most[id])
            for minute in minutes
            if id in minute.mean and len(minute.mean[id]) == wide
        ]
        self.seconds = sum(minute.frames for minute, _, _ in self._minutes) * header.interval

    def mean(self, field: str) -> float | None:
        """Over the time for which it could be told."""
        place = self._place(field)
        told = [(minute.frames, mean[place] - 1) for minute, mean, _ in self._minutes if mean[place]]
        count = sum(frames for frames, _ in told)
        return sum(frames * step for frames, step in told) / count / self._steps[place] if count else None

    def most(self, field: str) -> float | None:
        """In any frame."""
        place = self._place(field)
        told = [most[place] - 1 for _, _, most in self._minutes if most[place]]
        return max(told) / self._steps[place] if told else None

    def total(self, field: str) -> float | None:
        """Of a rate, what it comes to."""
        mean = self.mean(field)
        return None if mean is None else mean * self.seconds

    def _place(self, field: str) -> int:
        return self._fields.index(field)


def _use(id: str, name: str, means: _Means) -> Use:
    memory = means.most("memory")
    return Use(
        id=id,
        name=name,
        seconds=means.seconds,
        cpu=means.mean("cpu"),
        cpu_most=means.most("cpu"),
        stall=means.mean("cpu_some"),
        stall_most=means.most("cpu_some"),
        throttled=means.mean("throttled"),
        memory_most=None if memory is None else round(memory),
        io_read=means.total("io_read"),
        io_written=means.total("io_write"),
        net_received=means.total("net_rx"),
        net_sent=means.total("net_tx"),
    )
