"""What the deck knows: the newest snapshot, one minute of each container, and limits just turned."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from engine.model import ContainerSummary, History, HostSample, Limits, Sample, Snapshot
from tui.deck.pressing import Pressing, signs

MINUTE = 60.0
ALIVE = ("running", "paused")
"""States in which a container has processes, and so a pane."""
NO_SAMPLE = Sample()


class Point(msgspec.Struct, frozen=True):
    """One moment of a container's history."""

    at: float
    cpu: float | None  # cores
    stall: float | None  # share of the time some task waited for a CPU


class Trace:
    """One container's last minute, and when its limits were turned in it."""

    __slots__ = ("points", "turned")

    def __init__(self) -> None:
        self.points: deque[Point] = deque()
        self.turned: deque[float] = deque()

    def add(self, point: Point, interval: float) -> None:
        """Append; a snapshot between two ticks repeats the last sample and is left out."""
        if self.points and point.at - self.points[-1].at < interval / 2:
            return
        self.points.append(point)
        while self.points[0].at < point.at - MINUTE:
            self.points.popleft()
        while self.turned and self.turned[0] < point.at - MINUTE:
            self.turned.popleft()

    def seed(self, history: History) -> None:
        """Take what the engine remembers, and after it what was seen here since."""
        nothing: list[float | None] = [None] * len(history.at)
        columns = zip(
            history.at,
            history.fields.get("cpu", nothing),
            history.fields.get("cpu_some", nothing),
            strict=True,
        )
        known = [Point(at, cpu, stall) for at, cpu, stall in columns]
        end = known[-1].at if known else 0.0
        self.points = deque([*known, *(point for point in self.points if point.at > end + 0.01)])


class Store:
    """The current state of everything the deck shows; changed in the app's thread only."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.containers: dict[str, ContainerSummary] = {}
        self.traces: dict[str, Trace] = {}
        self.tails: dict[str, list[str]] = {}  # last lines of output, oldest first
        self.busy: dict[str, str] = {}  # what an action is doing to a container now: "stopping"
        self.pressing = Pressing()  # whose stall is worth a word
        self.signs: dict[str, str] = {}  # who is a victim, who a suspect, by id
        self.revision = 0  # grows with every change
        self.gone = ""  # why the engine does not answer; empty while it does
        self.stopped = False  # it was stopped on purpose

    @property
    def now(self) -> float:
        """The engine's time as of the newest snapshot."""
        return self.snapshot.at if self.snapshot else 0.0

    @property
    def host(self) -> HostSample:
        """The machine as of the newest snapshot."""
        return self.snapshot.host if self.snapshot else HostSample(cores=1)

    def sample(self, id: str) -> Sample:
        """What was measured of a container; all None where nothing was."""
        return self.snapshot.samples.get(id, NO_SAMPLE) if self.snapshot else NO_SAMPLE

    def apply(self, snapshot: Snapshot) -> None:
        """Take a newer snapshot."""
        before = self.containers
        self.revision += 1
        if snapshot.at < self.now - snapshot.interval:  # the clock was set back, or a recording is replayed
            self.traces.clear()
        self.snapshot = snapshot
        self.containers = {container.id: container for container in snapshot.containers}
        self.pressing.take(snapshot.verdicts, self.containers, snapshot.at)
        self.signs = signs(snapshot.verdicts)
        for gone in self.traces.keys() - self.containers.keys():
            del self.traces[gone]
            self.tails.pop(gone, None)
        for gone in self.busy.keys() - self.containers.keys():
            del self.busy[gone]
        for id, sample in snapshot.samples.items():
            if id not in self.containers:
                continue
            trace = self.traces.get(id)
            if trace is None:
                trace = self.traces[id] = Trace()
            trace.add(Point(snapshot.at, sample.cpu, sample.cpu_stall), snapshot.interval)
            old = before.get(id)
            if old is not None and old.limits != self.containers[id].limits:
                trace.turned.append(snapshot.at)

    def seed(self, histories: Iterable[History]) -> None:
        """Take the last minute as the engine remembers it."""
        for history in histories:
            self.revision += 1
            if history.id in self.containers:
                self.traces.setdefault(history.id, Trace()).seed(history)

    def turned(self, id: str, limits: Limits) -> None:
        """Show limits that the kernel has just taken, before the next snapshot says so."""
        container = self.containers.get(id)
        if container is None or container.limits == limits:
            return
        self.revision += 1
        self.containers[id] = msgspec.structs.replace(container, limits=limits)
        if (trace := self.traces.get(id)) is not None:
            trace.turned.append(self.now)

    def tailed(self, tails: dict[str, list[str]]) -> None:
        """Take the last lines of some containers' output."""
        self.revision += 1
        self.tails |= tails

    def occupy(self, id: str, doing: str) -> None:
        """Say what is being done to a container; "" when it is done."""
        self.revision += 1
        if doing:
            self.busy[id] = doing
        else:
            self.busy.pop(id, None)
