"""A minute in short: what a whole day can be looked through by, without reading its every second."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from engine.decoding import decode
from engine.errors import Corrupt
from engine.model import Event
from engine.model.base import Noun
from engine.recording import numbers
from engine.recording.frame import LENGTH, Frame, Header
from engine.recording.numbers import Row

HOST = "host"  # the id of the machine's own series
STALLS = ("cpu_some", "memory_some", "io_some", "throttled")
"""Fields that tell how much a container suffered; a moment is as bad as the worst of them."""
WITHIN = 5  # frames over which suffering is averaged: one second of it is chance
NAMED = 3  # containers named of each kind of suffering
OOM = "oom"


class Worst(Noun, frozen=True):
    """The worst that happened to one container within a minute."""

    at: float
    kind: str  # one of STALLS, or "oom"
    id: str
    name: str
    share: float  # of the time, averaged over some seconds; 1 for an OOM kill


class Minute(Noun, frozen=True):
    """What there was between two moments."""

    begin: float
    end: float
    frames: int
    rows: list[str] = []  # container ids, the host first: whose numbers follow
    names: dict[str, str] = {}
    worst: list[Worst] = []  # a few of each kind
    events: list[Event] = []
    mean: dict[str, Row] = {}  # by id, in steps; kept beside the JSON
    most: dict[str, Row] = {}


def minute_of(frames: Sequence[Frame]) -> Minute:
    """In short what some frames tell, which must be at least one."""
    header = frames[0].header
    series: dict[str, list[Sequence[int]]] = defaultdict(list)
    times: dict[str, list[float]] = defaultdict(list)
    names: dict[str, str] = {}
    for frame in frames:
        wide, place = len(header.fields), len(header.host_fields)
        series[HOST].append(frame.table[:place])
        for id in frame.rows:
            series[id].append(frame.table[place : place + wide])
            times[id].append(frame.at)
            place += wide
        names |= {id: container.name for id, container in frame.containers.items()}
    events = [event for frame in frames for event in frame.events]
    return Minute(
        begin=frames[0].at,
        end=frames[-1].at,
        frames=len(frames),
        rows=list(series),
        names=names,
        worst=[*_ooms(events), *_stalls(series, times, names, header)],
        events=events,
        mean={id: tuple(map(_mean, zip(*rows, strict=True))) for id, rows in series.items()},
        most={id: tuple(map(max, zip(*rows, strict=True))) for id, rows in series.items()},
    )


def _mean(steps: Sequence[int]) -> int:
    """The mean of what could be told."""
    if 0 not in steps:
        return round(sum(steps) / len(steps))
    told = [step for step in steps if step]
    return round(sum(told) / len(told)) if told else 0


def _ooms(events: Iterable[Event]) -> list[Worst]:
    killed = [event for event in events if event.action == OOM]
    return [Worst(at=e.at, kind=OOM, id=e.id, name=e.name, share=1.0) for e in killed[:NAMED]]


def _stalls(
    series: dict[str, list[Sequence[int]]],
    times: dict[str, list[float]],
    names: dict[str, str],
    header: Header,
) -> list[Worst]:
    """Of each kind the containers that suffered most over some seconds, and when."""
    found = []
    for kind in STALLS:
        if kind not in header.fields:
            continue
        column = header.fields.index(kind)
        worst = sorted(((*_suffered(series[id], column, at), id) for id, at in times.items()), reverse=True)[
            :NAMED
        ]
        for most, when, id in worst:
            if most:
                share = round(min(1.0, most / header.steps[column]), 4)
                found.append(Worst(at=when, kind=kind, id=id, name=names.get(id, id[:12]), share=share))
    return found


def _suffered(rows: Sequence[Sequence[int]], column: int, times: Sequence[float]) -> tuple[float, float]:
    """The most that one container suffered over some seconds, in steps, and when."""
    suffered = [max(0, steps[column] - 1) for steps in rows]
    if not any(suffered):
        return 0.0, times[0]
    wide = min(WITHIN, len(suffered))
    means = (sum(suffered[last - wide + 1 : last + 1]) / wide for last in range(wide - 1, len(suffered)))
    return max(zip(means, times[wide - 1 :], strict=True))


def encoded(minute: Minute) -> bytes:
    """The payload before compression: length and JSON, then the rows' means, then their maxima."""
    told = msgspec.json.encode(msgspec.structs.replace(minute, mean={}, most={}))
    rows = [table[id] for table in (minute.mean, minute.most) for id in minute.rows]
    return LENGTH.pack(len(told)) + told + numbers.planes(rows)


def decoded(raw: bytes, header: Header) -> Minute:
    """The inverse of `encoded`; raises Corrupt."""
    try:
        (length,) = LENGTH.unpack_from(raw)
        minute = decode(raw[4 : 4 + length], Minute)
    except (struct.error, msgspec.MsgspecError) as error:
        raise Corrupt(f"a minute's summary is not what was written: {error}") from error
    table = iter(numbers.unplaned(raw[4 + length :]))
    wide = {id: len(header.host_fields if id == HOST else header.fields) for id in minute.rows}
    tables = [{id: tuple(next(table, 0) for _ in range(wide[id])) for id in minute.rows} for _ in range(2)]
    return msgspec.structs.replace(minute, mean=tables[0], most=tables[1])
