"""One run of a demo: what it has measured so far, and how it stands as a noun."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from engine import model
from engine.model import KernelWrite, LaneName, Measure, RunState, Scenario, ScenarioRun, Tried, Verdict
from engine.scenarios.tally import Tally

POINTS = 1500  # of a lane's curve


@dataclass
class Lane:
    """One side of the screen."""

    name: LaneName
    title: str = ""
    turn: bool = False
    clock: float = 0.0  # seconds of whole turns
    turned_at: float = 0.0  # monotonic; when this turn began
    acted: float = 0.0  # seconds of a turn that was halted, until it is counted or dropped
    listens: bool = False  # the victim's figures are of this turn, the last of which come after it was halted
    tallies: dict[str, Tally] = field(default_factory=dict)  # whole turns, by protection
    part: Tally = field(default_factory=Tally)  # the turn under way
    points: list[tuple[float, float]] = field(default_factory=list)
    acts: int = 0  # the victim's so far that succeeded
    done: float = 0  # the neighbour's work so far
    away: float = 0.0  # monotonic: since when the victim is dead; 0 while it lives
    halted: asyncio.Event = field(default_factory=asyncio.Event)  # the neighbour has given its last figures
    victim: str = ""
    neighbour: str = ""
    measures: list[Measure] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def at(self) -> float:
        """Its clock now."""
        return self.clock + (time.monotonic() - self.turned_at if self.turn else self.acted)

    def open(self) -> None:
        """Begin a turn."""
        self.turned_at, self.turn, self.listens = time.monotonic(), True, True

    def halt(self) -> None:
        """Stop the clock."""
        if self.turn:
            self.acted, self.turn = time.monotonic() - self.turned_at, False

    def close(self) -> None:
        """End a turn; what it measured and was not counted is dropped, its piece of the curve too."""
        self.turn = self.listens = False
        self.acted, self.part = 0.0, Tally()
        self.points = [point for point in self.points if point[0] <= self.clock + 0.01]

    def tally(self, protection: str) -> Tally:
        """All that was measured under a protection ("" in the unprotected lane), the turn under way too."""
        return self.tallies.get(protection, Tally()).plus(self.part)

    def point(self, value: float) -> None:
        """Go on with the curve."""
        if len(self.points) < POINTS:
            self.points.append((round(self.at, 2), round(value, 3)))

    def noun(self) -> model.Lane:
        """As clients see it."""
        return model.Lane(
            name=self.name,
            title=self.title,
            turn=self.turn,
            at=round(self.at, 2),
            victim=self.victim,
            neighbour=self.neighbour,
            points=list(self.points),
            measures=list(self.measures),
            facts=list(self.facts.items()),
        )


@dataclass
class Run:
    """Survives being left: what whole turns have measured stays, and a later run goes on from there."""

    scenario: Scenario
    seconds: float
    protection: str  # in force
    wanted: str  # asked for
    host: str
    state: RunState = "preparing"
    elapsed: float = 0.0  # of whole turns
    unprotected: Lane = field(default_factory=lambda: Lane("unprotected"))
    protected: Lane = field(default_factory=lambda: Lane("protected"))
    written: list[KernelWrite] = field(default_factory=list)
    verdict: Verdict | None = None
    tried: list[Tried] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str = ""
    started_at: float = field(default_factory=time.time)
    asked: asyncio.Event = field(default_factory=asyncio.Event)  # another protection was

    @property
    def lanes(self) -> tuple[Lane, Lane]:
        """Unprotected and protected."""
        return self.unprotected, self.protected

    def lane(self, name: LaneName) -> Lane:
        """One of them."""
        return self.unprotected if name == "unprotected" else self.protected

    def note(self, sentence: str) -> None:
        """Have something said with the result, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def noun(self) -> ScenarioRun:
        """As clients see it."""
        turning = sum(lane.at - lane.clock for lane in self.lanes)
        return ScenarioRun(
            scenario=self.scenario,
            state=self.state,
            seconds=self.seconds,
            elapsed=round(min(self.seconds, self.elapsed + turning), 2),
            protection=self.protection,
            lanes=[lane.noun() for lane in self.lanes],
            written=list(self.written),
            verdict=self.verdict,
            tried=list(self.tried),
            notes=list(self.notes),
            started_at=self.started_at,
            host=self.host,
            error=self.error,
        )
